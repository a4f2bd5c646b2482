"""The parts of a running server, without Redis."""
