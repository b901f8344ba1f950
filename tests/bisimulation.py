"""Bisimulation: what two states of one key show, move by move, must be the same.

`holdfast explore` looks at one state of each key only. That is enough exactly when
every other state of the key has the same moves, does the same, and comes to states that
are of one key again. Here that is tried on pairs of states that random walks come to.
"""

import random
from collections.abc import Hashable, Iterator, Sequence
from typing import Any, NamedTuple

import msgspec

from holdfast.core.commands import Command
from holdfast.core.events import Fact
from holdfast.replay.explore.scope import Scope, State, Surroundings
from holdfast.replay.explore.search import problems_of_state
from holdfast.replay.explore.world import NEVER_MS, Actor, Move

# What names a thing and says nothing of it: equal states give it equal roles, not
# equal numbers. How often a part was tried is told to people, and decides nothing.
NAMES = (
    "client_id",
    "context",
    "credential",
    "cursor",
    "delivery",
    "epoch",
    "handle",
    "message",
    "session",
    "token",
)
UNTOLD = ("attempts", "seq")
# How often a walk does not let the process die when it might.
STAYS = 0.9

_pack = msgspec.msgpack.Encoder().encode


class Place(NamedTuple):
    """A concrete state, what surrounds it, and the seq of the last fact."""

    state: State
    world: Surroundings
    seq: int = 0


class Sight(NamedTuple):
    """What one move shows: who made it, what we did, what broke, and where it led."""

    by: str
    what: str
    commands: tuple[Hashable, ...]
    broken: tuple[str, ...]
    key: bytes


def begin(scope: Scope) -> Place:
    """Return where a scope begins."""
    return Place(scope.subject.start, scope.environment.begin)


def key_of(scope: Scope, place: Place) -> bytes:
    """Return the key of a place, as the search packs it."""
    return _pack(scope.subject.key(place.state, place.world))


def moves_of(scope: Scope, place: Place) -> Sequence[Move]:
    """Return what may happen next."""
    held = scope.subject.held(place.state)
    return scope.environment.moves(place.world, held)


def make(scope: Scope, place: Place, move: Move) -> tuple[Place, Sight]:
    """Make a move; return where it led and what it showed."""
    state, world, seq = place.state, move.world, place.seq
    broken: list[str] = []
    done: list[Hashable] = []
    for event in move.events:
        seq += 1
        fact, before = Fact(seq, world.now_ms, event), state
        state, commands = scope.subject.step(before, fact, scope.policy)
        broken += scope.subject.broken(before, fact, state, commands, scope.policy)
        world, complaints = scope.environment.obey(world, fact, commands)
        broken += complaints
        done += [outline(command, world.now_ms) for command in commands]
    led = Place(state, world, seq)
    broken += problems_of_state(scope, state, world, seq)
    key = key_of(scope, led)
    return led, Sight(move.by, move.what, tuple(done), tuple(broken), key)


def sights(scope: Scope, place: Place) -> list[Sight]:
    """Return what each move from here shows."""
    return [make(scope, place, move)[1] for move in moves_of(scope, place)]


def outline(command: Command, now_ms: int) -> Hashable:
    """Return a command without its names, and with its times from now on."""
    told = [
        (field, _outlined(field, getattr(command, field), now_ms))
        for field in command.__struct_fields__
        if field not in UNTOLD
    ]
    return type(command).__name__, tuple(told)


def _outlined(field: str, value: Any, now_ms: int) -> Hashable:
    if field in NAMES:
        return bool(value)
    return min(value - now_ms, NEVER_MS) if field == "due_ms" else str(value)


def strolls(scope: Scope, seed: int, steps: int) -> Iterator[Place]:
    """Walk at random for so many moves, far from the short paths of the search.

    A new process begins rarely, for with it a walk is back where it came from.
    """
    draw = random.Random(seed)  # noqa: S311 - a walk is repeated by its seed.
    place = begin(scope)
    for _ in range(steps):
        moves = moves_of(scope, place)
        move = draw.choice(moves)
        if move.by is Actor.PROCESS and draw.random() < STAYS:
            move = draw.choice(moves)
        place, _ = make(scope, place, move)
        yield place


def unlike(scope: Scope, one: Place, other: Place) -> Iterator[str]:
    """Name what two places of one key show differently."""
    theirs, ours = sights(scope, one), sights(scope, other)
    if [sight.what for sight in theirs] != [sight.what for sight in ours]:
        yield f"they have other moves after seq {one.seq} and {other.seq}"
        return
    for before, after in zip(theirs, ours, strict=True):
        for field in Sight._fields:
            if getattr(before, field) != getattr(after, field):
                yield f"{before.what!r} has other {field}"
