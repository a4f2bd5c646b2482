"""The description of our API is true: whatever fits it gets an answer that it describes."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.strategies import just, one_of, sampled_from
from redis import Redis
from schemathesis import checks
from schemathesis.checks import load_all_checks
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from asynqpy import TaskState
from asynqpy.web import create_app
from tests.redis.seed import Queue
from tests.servers import RedisServer

from .test_asynqmon_api import announce, fill

load_all_checks()

EXAMPLES = 12
"""For each operation: an hour of them finds more, but not every time."""

KNOWN = one_of(
    just({}),
    sampled_from(list(TaskState)).map(
        lambda state: {"queue": "low", "task_id": state.value, "server_id": "s1", "entry_id": "e1"}
    ),
)
"""Half of the time something is asked of what is there."""

DESCRIBED = schemathesis.openapi.from_dict(
    {**create_app("redis://localhost").openapi(), "servers": [{"url": "http://localhost"}]}
).exclude(path_regex="/events$")
OPERATIONS = {operation.ok().label: operation.ok() for operation in DESCRIBED.get_all_operations()}


@pytest.mark.parametrize("label", OPERATIONS)
def test_answers_are_as_described(label: str, valkey_server: RedisServer) -> None:
    """No answer is undocumented or of another shape, and none says that something is broken inside."""
    app = create_app(valkey_server.url, insecure=True)

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=OPERATIONS[label].as_strategy(), known=KNOWN)
    def check(case: Any, known: dict[str, str]) -> None:
        case.path_parameters.update({name: known[name] for name in case.path_parameters if name in known})
        with valkey_server.client() as redis:
            redis.flushall()
            redis.sadd("asynq:queues", "low")
            low = Queue(redis, "low")
            fill(low)
            announce(low)
        answer = case.call_and_validate(
            app=app,
            checks=[
                checks.not_a_server_error,
                status_code_conformance,
                content_type_conformance,
                response_schema_conformance,
            ],
        )
        assert answer.status_code not in (401, 403)

    check()


@pytest.mark.anyio
async def test_the_description_is_served(web: httpx.AsyncClient, redis: Redis) -> None:
    """Complete: every operation has words, every model too, and errors are problems."""
    document = (await web.get("/api/v2/openapi.json")).json()
    assert document["openapi"].startswith("3.1")
    operations = [each for path in document["paths"].values() for each in path.values()]
    assert len(operations) >= 30
    for operation in operations:
        assert operation["description"]
        assert operation["tags"]
        assert "application/problem+json" in operation["responses"]["422"]["content"]
    for name, model in document["components"]["schemas"].items():
        assert model.get("description") or "enum" in model, name
