"""Each module by itself: no Redis, no sleeping."""
