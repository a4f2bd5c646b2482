"""Bytes and names in Redis: every key, every message, every unit of time. No I/O."""
