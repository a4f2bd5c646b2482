"""The faces of inspection: `Inspector` blocks, `AsyncInspector` is awaited; the same methods, one logic."""

from __future__ import annotations

from asynqpy._inspector.awaited import AsyncInspector
from asynqpy._inspector.blocking import Inspector
from asynqpy._inspector.searches import AsyncTaskSearch, TaskSearch

__all__ = ["AsyncInspector", "AsyncTaskSearch", "Inspector", "TaskSearch"]
