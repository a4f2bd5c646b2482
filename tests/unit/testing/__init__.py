"""The helpers for users' tests."""
