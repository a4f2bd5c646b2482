"""`Client` and `AsyncClient` on a real Redis."""
