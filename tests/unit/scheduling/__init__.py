"""What schedulers compute, without Redis."""
