"""Every contender that the benchmark knows. How each is configured, and why, is said atop its driver."""

from redis import Redis

from bench.contender import Contender, Kind

SYNC_MODES = frozenset({"fill", "blocking", "callers", "paced", "scheduled"})
ASYNC_MODES = frozenset({"fill", "awaiting", "callers", "paced", "scheduled"})
REFERENCE = "go_asynq"
"""The contender that ratios compare with."""


def _asynq_backlog(redis: Redis) -> int:
    return int(redis.llen("asynq:{default}:pending")) + int(redis.llen("asynq:{default}:active"))


def _celery_backlog(redis: Redis) -> int:
    return int(redis.llen("celery")) + int(redis.hlen("unacked"))


def _rq_backlog(redis: Redis) -> int:
    lists = ("rq:queue:default", "rq:queue:default:intermediate")
    return sum(int(redis.llen(name)) for name in lists) + int(redis.zcard("rq:wip:default"))


def _saq_backlog(redis: Redis) -> int:
    return int(redis.llen("saq:default:queued")) + int(redis.llen("saq:default:active"))


def _taskiq_backlog(redis: Redis) -> int:
    group = redis.xinfo_groups("taskiq")[0]
    return int(group["pending"]) + int(group["lag"] or 0)


ASYNQPY = Contender(
    name="asynqpy",
    title="asynqpy",
    kind=Kind.OWN,
    modes=frozenset({"fill", "batch", "blocking", "awaiting", "callers", "paced", "scheduled", "due", "wait"}),
    expected_rates={1: 4_000, 10: 22_000, 100: 50_000, 1000: 60_000},
    backlog=_asynq_backlog,
    import_statement="import asynqpy",
    notes=("all features on: typed handler, one middleware, timeout and deadline, heartbeats, fenced claims",),
)
GO_ASYNQ = Contender(
    name="go_asynq",
    title="Go asynq",
    kind=Kind.GO,
    modes=frozenset({"fill", "blocking", "callers", "paced", "scheduled", "due"}),
    expected_rates={1: 5_500, 10: 12_000, 100: 12_000, 1000: 12_000},
    backlog=_asynq_backlog,
    notes=("one middleware, JSON decoded into a struct, timeout and deadline; this version has no batch enqueue",),
)
PEERS = (
    Contender(
        name="celery",
        title="Celery",
        kind=Kind.PYTHON,
        modes=SYNC_MODES,
        expected_rates={1: 1_000, 10: 1_000, 100: 1_000, 1000: 1_000},
        backlog=_celery_backlog,
        import_statement="import celery; celery.Celery",
        notes=("pool solo at concurrency 1, threads above; acknowledges before the task runs (its default)",),
    ),
    Contender(
        name="rq",
        title="RQ",
        kind=Kind.PYTHON,
        modes=SYNC_MODES | {"batch"},
        expected_rates={1: 230, 10: 390},
        backlog=_rq_backlog,
        import_statement="import rq",
        notes=("SimpleWorker, without forking; concurrency 10 is a pool of 10 processes, more was not measured",),
    ),
    Contender(
        name="dramatiq",
        title="Dramatiq",
        kind=Kind.PYTHON,
        modes=SYNC_MODES,
        expected_rates={1: 4_000, 10: 3_500, 100: 3_000, 1000: 1_500},
        backlog=lambda redis: int(redis.hlen("dramatiq:default.msgs")),
        import_statement="import dramatiq",
        notes=("one process of threads, at least 100 messages prefetched",),
    ),
    Contender(
        name="arq",
        title="arq",
        kind=Kind.PYTHON,
        modes=ASYNC_MODES,
        expected_rates={1: 90, 10: 1_000, 100: 950, 1000: 900},
        backlog=lambda redis: int(redis.zcard("arq:queue")),
        import_statement="import arq",
        notes=("polls every 10 ms instead of its default 500 ms, which bounds concurrency 1",),
    ),
    Contender(
        name="taskiq",
        title="taskiq",
        kind=Kind.PYTHON,
        modes=ASYNC_MODES - {"scheduled"},
        expected_rates={1: 2_300, 10: 2_300, 100: 2_300, 1000: 2_300},
        backlog=_taskiq_backlog,
        import_statement="import taskiq_redis",
        notes=("RedisStreamBroker; scheduled tasks need a second process and were not measured",),
    ),
    Contender(
        name="saq",
        title="SAQ",
        kind=Kind.PYTHON,
        modes=ASYNC_MODES,
        expected_rates={1: 700, 10: 1_300, 100: 1_800, 1000: 1_300},
        backlog=_saq_backlog,
        import_statement="import saq",
        notes=("scheduled tasks have whole seconds",),
    ),
    Contender(
        name="streaq",
        title="streaq",
        kind=Kind.PYTHON,
        modes=ASYNC_MODES | {"batch"},
        expected_rates={1: 750, 10: 1_000, 100: 1_000, 1000: 1_000},
        backlog=lambda redis: int(redis.xlen("streaq:default:queues:normal")),
        import_statement="import streaq",
    ),
    Contender(
        name="huey",
        title="Huey",
        kind=Kind.PYTHON,
        modes=SYNC_MODES,
        expected_rates={1: 3_500, 10: 2_200, 100: 1_900, 1000: 550},
        backlog=lambda redis: int(redis.llen("huey.redis.bench")),
        import_statement="import huey",
        notes=("threads; no acknowledgement at all: a crash loses the tasks that were running",),
    ),
)
CONTENDERS = {contender.name: contender for contender in (ASYNQPY, GO_ASYNQ, *PEERS)}
