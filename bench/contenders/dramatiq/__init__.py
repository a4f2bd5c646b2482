"""Dramatiq."""
