"""Enqueues some tasks: from a web app, a script, anywhere. Run the worker beside it.

python producer.py
"""

from datetime import timedelta

from tasks import charge, welcome

from asynqpy import Client, DuplicateTaskError, Task

with Client() as client:  # ASYNQPY_REDIS_URL, or redis://localhost:6379
    # A typed task takes the arguments of its function.
    info = client.enqueue(welcome.task(user_id=42))
    print(f"{info.type} {info.id} is {info.state} in queue {info.queue}")

    # Any task: a type, and a payload that becomes JSON (or bytes, sent as they are).
    client.enqueue(Task("image:resize", {"src": "large.png"}), retention=timedelta(hours=1))

    # Later. Options are keyword arguments.
    info = client.enqueue(Task("report:build", b"2026"), process_in=1, queue="low", retention=3600)
    print(f"{info.type} {info.id} is {info.state} for {info.next_process_at}")

    # At most one of a kind: the second is refused until the first is done, or the minute is over.
    client.enqueue(charge.task(order_id=7), unique_for=60)
    try:
        client.enqueue(charge.task(order_id=7), unique_for=60)
    except DuplicateTaskError as error:
        print(f"refused: {error}")

    # Many at once: batches, and a result for each.
    results = client.enqueue_many(welcome.task(user_id=user_id) for user_id in range(100))
    print(f"{sum(result.info is not None for result in results)} more enqueued")
