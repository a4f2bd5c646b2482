"""The transport, without Redis."""
