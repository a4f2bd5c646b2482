"""Tests of asynqpy."""
