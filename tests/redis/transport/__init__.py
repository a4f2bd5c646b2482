"""Connections: lanes, tracking, subscriptions, and every way to say where Redis is."""
