"""Periodic tasks for the worker beside it. Start it as often as you like: each tick is enqueued once.

python schedule.py
asynqpy scheduler schedule:scheduler
"""

import logging

from tasks import welcome

from asynqpy import Scheduler, Task, TaskInfo

log = logging.getLogger("shop")


def report(info: TaskInfo | None, error: BaseException | None) -> None:
    log.info("enqueued %s", info.id) if info else log.info("not enqueued: %s", error)


scheduler = Scheduler(timezone="Europe/Berlin", post_enqueue=report)  # ASYNQPY_REDIS_URL, or redis://localhost:6379

# An interval, and a task that must not pile up: skipped while the last one still waits or runs.
scheduler.register("@every 2s", Task("image:resize", {"src": "periodic.png"}), overlap=False)

# Local time, with options. If no scheduler runs at half past four, the tick is enqueued when one starts.
scheduler.register("30 4 * * mon-fri", Task("report:build", b"daily"), queue="low", catch_up="last")

# A typed task, by a name of its own.
scheduler.register("@every 1s", welcome.task(user_id=7), entry_id="welcome-seven")

if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    scheduler.run()
