"""The parts of a running scheduler: when entries are due, and what happens then."""
