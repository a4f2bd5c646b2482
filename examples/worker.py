"""A worker in code, where the command line is not enough: an error handler, middleware, other things in the loop.

python worker.py
"""

import logging

from tasks import mux

from asynqpy import Next, Server, Task

log = logging.getLogger("shop")


@mux.middleware
async def log_tasks(task: Task, call: Next) -> object:
    result = await call(task)
    log.info("%s done", task.type)
    return result


def report(task: Task, error: BaseException) -> None:
    log.warning("%s failed at attempt %d: %s", task.type, task.retried + 1, error)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    server = Server(  # ASYNQPY_REDIS_URL, or redis://localhost:6379
        concurrency=10,
        queues={"critical": 6, "default": 3, "low": 1},
        error_handler=report,
    )
    server.run(mux)  # until Ctrl-C or TERM: running tasks may finish, the rest is put back
