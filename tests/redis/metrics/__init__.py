"""Metrics, with real servers."""
