"""Scope: what is explored together, a subject within an environment, and its limits."""

from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any, NamedTuple

from holdfast.core.commands import Command
from holdfast.core.events import Fact
from holdfast.core.policy import Policy
from holdfast.replay.explore.world import Move

# States and worlds differ in type by platform, and nothing general looks into them.
State = Any
Surroundings = Any


class Subject(NamedTuple):
    """A reducer, what it promises, and how its states are told apart.

    `key` is the abstraction: states of equal keys are one. `held`: how many parts it
    has to send. `healthy`: all goes well. `told`: a human or the host was told and is
    waited for. `phases` names where its machines stand. `timers` returns
    {name: due_ms} as the state believes them; None when it keeps no such account.
    `stale` returns facts that must change nothing in a state.
    """

    platform: str
    start: State
    step: Callable[[State, Fact, Policy], tuple[State, list[Command]]]
    broken: Callable[[State, Fact, State, Sequence[Command], Policy], Iterable[str]]
    key: Callable[[State, Surroundings], Hashable]
    held: Callable[[State], int]
    healthy: Callable[[State, Surroundings], bool]
    told: Callable[[State, Surroundings], bool]
    phases: Callable[[State], str]
    timers: Callable[[State], dict[str, int]] | None = None
    stale: Callable[[State, Surroundings], Sequence[Fact]] | None = None


class Environment(NamedTuple):
    """What surrounds a subject: the first world, the moves, and what commands do.

    `moves` are told how many parts the subject holds, so that a host stops in time.
    `obey` returns the world after the commands of one fact, and what they break of what
    only the world knows.
    """

    begin: Surroundings
    moves: Callable[[Surroundings, int], Sequence[Move]]
    obey: Callable[
        [Surroundings, Fact, Sequence[Command]], tuple[Surroundings, Sequence[str]]
    ]


class Scope(NamedTuple):
    """One exploration: its name, what it is about, and under which policy."""

    name: str
    about: str
    machines: tuple[str, ...]
    subject: Subject
    environment: Environment
    policy: Policy
