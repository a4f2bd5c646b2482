"""The worker server on a real Redis."""
