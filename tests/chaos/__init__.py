"""Things are killed, restarted and cut off under load, and nothing may be lost."""
