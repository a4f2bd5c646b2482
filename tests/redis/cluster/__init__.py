"""Everything on a real cluster, in peace and in trouble."""
