"""The terminal dashboard, ``asynqpy dash``: what an inspector tells, on a screen. Needs the extra ``dash``."""
