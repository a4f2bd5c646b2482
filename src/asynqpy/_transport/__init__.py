"""Talking to Redis: the only importer of redis-py."""
