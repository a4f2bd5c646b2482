"""Names and bytes."""
