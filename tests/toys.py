"""Toys: reducers whose state is a number, in a world that says where one may go."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from holdfast.core.commands import Command
from holdfast.core.events import Fact, TimerFired
from holdfast.core.policy import Policy
from holdfast.replay.explore.scope import Environment, Scope, Subject
from holdfast.replay.explore.world import Actor, Move, World

# {number: who may move on from there, and to which number}
Ways = Mapping[int, Sequence[tuple[Actor, int]]]
# All that these do is what they do where nothing is wrong.
WELL = (Actor.PEER, Actor.NETWORK, Actor.TIME, Actor.DISK)
# A timer that never runs out: something goes on at all times.
BEGIN = World(1, timers=(("toy", 1_000),), running=True)


def toy(  # noqa: PLR0913 - each test names the one it is about.
    ways: Ways | Callable[[int], Sequence[tuple[Actor, int]]],
    *,
    healthy: Iterable[int] = (),
    told: Iterable[int] = (),
    raises: Mapping[int, BaseException] | None = None,
    broken: Iterable[int] = (),
    begin: World = BEGIN,
) -> Scope:
    """Return a scope that starts at 0; numbers in `raises` and `broken` are mistakes.

    A fact is a timer whose name is the number that it leads to.
    """
    good, waited, bad = set(healthy), set(told), set(broken)
    mistakes = raises or {}
    choices = ways if callable(ways) else lambda number: ways.get(number, ())

    def step(_state: int, fact: Fact, _policy: Policy) -> tuple[int, list[Command]]:
        assert isinstance(fact.event, TimerFired)
        number = int(fact.event.name)
        if number in mistakes:
            raise mistakes[number]
        return number, []

    def moves(world: World, number: int) -> list[Move]:
        return [
            Move(by, f"to {there}", (TimerFired(str(there), 1),), world, by in WELL)
            for by, there in choices(number)
        ]

    def obey(
        world: World, _fact: Fact, _commands: Sequence[Command]
    ) -> tuple[World, Sequence[str]]:
        return world, ()

    def promise(_before: int, _fact: Fact, after: int, *_: Any) -> Iterable[str]:
        return ["[0] here nobody may be"] if after in bad else []

    subject = Subject(
        platform="weixin",
        start=0,
        step=step,
        broken=promise,
        key=lambda state, _: state,
        held=lambda state: state,
        healthy=lambda state, _: state in good,
        told=lambda state, _: state in waited,
        phases=str,
    )
    return Scope("toy", "a toy", (), subject, Environment(begin, moves, obey), Policy())
