"""Both inspectors, through their public faces."""
