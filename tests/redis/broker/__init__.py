"""Every flow against real servers: seed, run, and compare every key that is left behind."""
