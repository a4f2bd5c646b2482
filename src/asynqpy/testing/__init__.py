"""Helpers for the tests of programs that use asynqpy: a clock that is set by hand, and attempts without a worker.

```python
from asynqpy.testing import FakeClock, run_task

run = await run_task(mux, welcome.task(user_id=42))
assert run.unwrap() == b'{"sent":true}'
```
"""

from __future__ import annotations

from asynqpy.testing.attempts import TaskRun, run_task
from asynqpy.testing.fake_clock import FakeClock

__all__ = ["FakeClock", "TaskRun", "run_task"]
