"""What to say to Redis: flows and Lua scripts. No I/O, no clock, no randomness."""
