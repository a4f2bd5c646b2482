"""Everything behind real sentinels, in peace and in trouble."""
