"""asynqpy."""
