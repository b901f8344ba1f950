"""Rescue: whether an account, as a recording leaves it, can still come back by itself.

What surrounds it is read from its recorded facts and commands (`Witness`); then what
a peer that is well does is searched for a way to health, or to somebody who was told.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from holdfast.core import qq, weixin
from holdfast.core.commands import Command
from holdfast.core.events import Event, Fact
from holdfast.core.policy import Policy
from holdfast.replay.explore import (
    qq_subject,
    qq_witness,
    weixin_subject,
    weixin_witness,
)
from holdfast.replay.explore.account import told
from holdfast.replay.explore.qq_moves import moves as qq_moves
from holdfast.replay.explore.qq_orders import obey as qq_obey
from holdfast.replay.explore.qq_world import Extent as QqExtent
from holdfast.replay.explore.qq_world import QqWorld
from holdfast.replay.explore.scope import Environment, State, Subject, Surroundings
from holdfast.replay.explore.search import fingerprint
from holdfast.replay.explore.weixin_moves import moves as weixin_moves
from holdfast.replay.explore.weixin_orders import obey as weixin_obey
from holdfast.replay.explore.weixin_world import Extent as WeixinExtent
from holdfast.replay.explore.weixin_world import WeixinWorld
from holdfast.replay.explore.world import Actor, Move, nothing_goes_on

STATES_MAX = 3_000
FAR_SEQ = 1 << 40


class Rescuer(NamedTuple):
    """How a platform's accounts are watched and rescued."""

    environment: Environment
    subject: Callable[[Policy], Subject]
    witness: Callable[[Surroundings, Event], Surroundings]


RESCUERS: Mapping[str, Rescuer] = {
    weixin.PLATFORM: Rescuer(
        Environment(WeixinWorld(0, extent=WeixinExtent()), weixin_moves, weixin_obey),
        weixin_subject.subject,
        weixin_witness.witness,
    ),
    qq.PLATFORM: Rescuer(
        Environment(QqWorld(0, extent=QqExtent()), qq_moves, qq_obey),
        qq_subject.subject,
        qq_witness.witness,
    ),
}


def watch(
    rescuer: Rescuer, world: Surroundings, fact: Fact, commands: Sequence[Command]
) -> Surroundings:
    """Return the world after a recorded fact and what was done about it."""
    world = rescuer.witness(replace(world, now_ms=fact.at_ms), fact.event)
    return rescuer.environment.obey(world, fact, commands)[0]


def is_silent(state: State, world: Surroundings) -> bool:
    """Say whether nothing goes on, and nobody was told."""
    quiet = world.running and not world.stopping and nothing_goes_on(world)
    return quiet and not told(state, world)


def can_come_back(
    rescuer: Rescuer, state: State, world: Surroundings, policy: Policy
) -> bool | None:
    """Say whether a peer that is well brings health; None: it takes too long to tell.

    A state in which somebody was told, or that was stopped, counts as health.
    """
    subject, environment = rescuer.subject(policy), rescuer.environment
    # The newest first: health is mostly a row of good answers away.
    frontier = [(state, world)]
    seen = {fingerprint(subject.key(state, world)): None}
    while frontier:
        state, world = frontier.pop()
        if not world.running or world.stopping:
            return True
        if subject.healthy(state, world) or subject.told(state, world):
            return True
        if len(seen) > STATES_MAX:
            return None
        for move in _good_moves(environment.moves(world, subject.held(state))):
            after, surroundings = state, move.world
            for event in move.events:
                fact = Fact(FAR_SEQ, surroundings.now_ms, event)
                after, commands = subject.step(after, fact, policy)
                surroundings, _ = environment.obey(surroundings, fact, commands)
            key = fingerprint(subject.key(after, surroundings))
            if key not in seen:
                seen[key] = None
                frontier.append((after, surroundings))
    return False


def _good_moves(moves: Sequence[Move]) -> list[Move]:
    """Return what a peer that is well may do, what it does first last."""
    good = [move for move in moves if move.good]
    return sorted(good, key=lambda move: move.by is not Actor.TIME)
