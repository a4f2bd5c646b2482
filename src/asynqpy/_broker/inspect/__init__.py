"""What to say to Redis to look at queues and tasks. Read-only."""
