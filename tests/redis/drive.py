"""Runs flows on a plain redis-py client: the smallest driver there can be."""

from __future__ import annotations

from typing import Any, TypeVar, cast

from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import NoScriptError, RedisError

from asynqpy._broker.flow import Batch, Call, Flow
from asynqpy.errors import AsynqpyError, BrokerError, ConnectionLostError

T = TypeVar("T")


class Driver:
    """Runs one flow after another, each call of a batch by itself."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def __call__(self, flow: Flow[T]) -> T:
        """The result of *flow*."""
        try:
            request = next(flow)
            while True:
                try:
                    reply = self._perform(request)
                except AsynqpyError as error:
                    request = flow.throw(error)
                else:
                    request = flow.send(reply)
        except StopIteration as finished:
            return cast("T", finished.value)

    def _perform(self, request: Call | Batch) -> Any:
        if isinstance(request, Batch):
            return [self._in_its_place(call) for call in request.calls]
        return self._call(request)

    def _in_its_place(self, call: Call) -> Any:
        try:
            return self._call(call)
        except AsynqpyError as error:
            return error

    def _call(self, call: Call) -> Any:
        try:
            return self._execute(call)
        except RedisConnectionError as error:
            raise ConnectionLostError(str(error)) from error
        except RedisError as error:
            raise BrokerError(str(error)) from error

    def _execute(self, call: Call) -> Any:
        try:
            return self._redis.execute_command(*call.words)
        except NoScriptError:
            assert call.script is not None
            self._redis.script_load(call.script.source)
            return self._redis.execute_command(*call.words)
