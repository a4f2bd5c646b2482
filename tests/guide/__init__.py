"""A tour of asynqpy, one idea a test. Read it from top to bottom."""
