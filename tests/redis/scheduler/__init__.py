"""Schedulers on a real Redis."""
