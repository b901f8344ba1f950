"""Forever: how an account that is doomed goes on, round and round."""

from collections.abc import Iterator
from typing import NamedTuple

from msgspec import msgpack

from holdfast.replay.explore.scope import Scope, State, Surroundings
from holdfast.replay.explore.search import made, walk

# Longer rounds than this are not told; a person would not read them.
ROUND_MAX = 12


class Round(NamedTuple):
    """What a well peer does after a path, until all is as after a move of it."""

    moves: tuple[int, ...] = ()
    back_to: int = 0


def round_after(scope: Scope, moves: tuple[int, ...]) -> Round:
    """Return a way to go on that comes back to where it was; empty when none is near.

    At each turn the first move is made that leads to something new, so that the round
    shows as much as there is to see.
    """
    state, world = scope.subject.start, scope.environment.begin
    for step in walk(scope, moves):
        state, world = step.after, step.world
    keys, way = [_key(scope, state, world)], list[int]()
    while len(way) < ROUND_MAX:
        choices = list(_choices(scope, state, world))
        fresh = [one for one in choices if one[1] not in keys]
        if not fresh:
            back = [one for one in choices if one[1] in keys]
            if not back:
                break
            # The longest round tells most.
            choice, key, *_ = min(back, key=lambda one: keys.index(one[1]))
            return Round((*way, choice), len(moves) + keys.index(key))
        choice, key, state, world = fresh[0]
        way.append(choice)
        keys.append(key)
    return Round()


def _choices(
    scope: Scope, state: State, world: Surroundings
) -> Iterator[tuple[int, bytes, State, Surroundings]]:
    """Yield what a peer that is well may do next and what comes of it, time last."""
    moves = scope.environment.moves(world, scope.subject.held(state))
    numbered = [(n, move) for n, move in enumerate(moves) if move.good]
    for choice, move in sorted(numbered, key=lambda one: not one[1].events):
        *_, end = made(scope, 0, move, state, 0)
        yield choice, _key(scope, end.after, end.world), end.after, end.world


def _key(scope: Scope, state: State, world: Surroundings) -> bytes:
    return msgpack.encode(scope.subject.key(state, world))
