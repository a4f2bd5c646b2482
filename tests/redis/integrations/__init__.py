"""Integrations, with real servers."""
