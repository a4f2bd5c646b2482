"""What the worker can do. The producer imports it for the typed tasks; nothing else is shared.

asynqpy worker tasks:mux --queue critical=6 --queue default=3 --queue low=1
"""

import hashlib
import time

from asynqpy import ServeMux, SkipRetry, Task, current_task
from asynqpy.retry import exponential

mux = ServeMux()


# A typed task: the arguments are the payload, as JSON, and are checked before the function runs.
# What it returns is the task's result, kept for `retention` seconds after success.
@mux.task("email:welcome", queue="critical", max_retry=5, timeout=30, retention=3600)
async def welcome(user_id: int, template: str = "v2") -> dict[str, str]:
    print(f"welcome, user {user_id}")
    return {"sent": f"{template} to user {user_id}"}


# A raw handler: the task as it is, of this type or of any type that begins with it ("image:resize:small" …).
@mux.handler("image:resize")
async def resize(task: Task) -> None:
    if not task.payload:
        raise SkipRetry("nothing to resize")  # archived at once: another attempt would not help
    print(f"resizing {task.json()['src']}")
    await task.write_result({"thumbnail": "small.png"})


# A plain function runs in a thread, so it may block. It looks at `task.cancelled` when it runs for long.
@mux.handler("report:build")
def build(task: Task) -> bytes:
    digest = hashlib.sha256(task.payload)
    for _ in range(20):
        if task.cancelled:
            raise TimeoutError("told to stop")
        digest.update(digest.digest())
        time.sleep(0.005)
    print("report built")
    return digest.hexdigest().encode()


# A failure is tried again later: here after 0.5 s, then 1 s, 2 s …; without `retry_delay` after 15 s and more.
@mux.task("payment:charge", queue="critical", max_retry=8, retry_delay=exponential(0.5, jitter=0.0))
async def charge(order_id: int) -> None:
    attempt = current_task().retried + 1
    if attempt == 1:
        raise ConnectionError("the bank did not answer")
    print(f"order {order_id} charged at attempt {attempt}")
