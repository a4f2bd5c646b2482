"""Metrics without a server."""
