"""Who asks, and what they may see and do. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from enum import StrEnum
from fnmatch import fnmatchcase

from asynqpy.actions import Action
from asynqpy.errors import ConfigError


class Role(StrEnum):
    """What somebody may do in general."""

    VIEWER = "viewer"
    """Look."""
    OPERATOR = "operator"
    """Look and act."""


class Permission(StrEnum):
    """One thing that may be done through the web; those on tasks have the words of `Action`."""

    RUN = Action.RUN.value
    ARCHIVE = Action.ARCHIVE.value
    DELETE = Action.DELETE.value
    CANCEL = Action.CANCEL.value
    EDIT = Action.EDIT.value
    AGAIN = Action.AGAIN.value
    MOVE = Action.MOVE.value
    ENQUEUE = "enqueue"
    """Put new tasks on a queue, periodic ones before their time included."""
    PAUSE = "pause"
    """Pause and resume a queue."""
    REMOVE = "remove"
    """Remove a queue."""


_ALL = tuple(Permission)


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """Somebody who has logged in.

    Raises:
        ConfigError: an unknown role or action.
    """

    name: str
    """For the audit log."""
    role: Role = Role.VIEWER
    queues: tuple[str, ...] = ("*",)
    """The queues that exist for them, as patterns like ``tenant-7-*``."""
    actions: AbstractSet[Permission] | None = None
    """What an operator may do; None is everything."""
    may_see_payloads: bool = True
    """Whether payloads, results and headers are shown to them at all."""

    def __post_init__(self) -> None:
        try:
            object.__setattr__(self, "role", Role(self.role))
            if self.actions is not None:
                object.__setattr__(self, "actions", frozenset(Permission(action) for action in self.actions))
        except ValueError as error:
            raise ConfigError(
                f"user {self.name!r}: {error}; roles are {_listed(Role)}, actions are {_listed(Permission)}"
            ) from error
        object.__setattr__(self, "queues", tuple(self.queues))

    def may_see(self, queue: str) -> bool:
        """Whether *queue* exists for them."""
        return self.sees_all or any(fnmatchcase(queue, pattern) for pattern in self.queues)

    @property
    def sees_all(self) -> bool:
        """Whether every queue does."""
        return "*" in self.queues

    @property
    def permissions(self) -> tuple[Permission, ...]:
        """What they may do in the queues that they see."""
        if self.role is not Role.OPERATOR:
            return ()
        return _ALL if self.actions is None else tuple(each for each in _ALL if each in self.actions)

    def may(self, permission: Permission, queue: str) -> bool:
        """Whether they may do this in *queue*."""
        return permission in self.permissions and self.may_see(queue)

    @property
    def sight(self) -> tuple[tuple[str, ...], bool]:
        """Equal for all who see the same."""
        return (self.queues, self.may_see_payloads)


@dataclass(frozen=True, slots=True)
class Account:
    """A password and what it gives."""

    password: str = field(repr=False)
    role: Role = Role.OPERATOR
    queues: tuple[str, ...] = ("*",)
    actions: AbstractSet[Permission] | None = None
    may_see_payloads: bool = True

    def user(self, name: str) -> User:
        """Who it belongs to."""
        return User(
            name=name,
            role=self.role,
            queues=self.queues,
            actions=self.actions,
            may_see_payloads=self.may_see_payloads,
        )


def _listed(words: Iterable[StrEnum]) -> str:
    return ", ".join(word.value for word in words)


LOCAL = User(name="local", role=Role.OPERATOR)
"""Whoever asks from this machine where no login is set up."""
