"""``asynqpy demo``: tasks of every kind, a worker, and a table of queues that shows them move."""

from asynqpy.cli.demo.command import app

__all__ = ["app"]
