"""The point of no return: after which fact nothing but the host could help.

Two things make one. Silence: nothing is under way, no timer is set, and nobody was
told; that is seen as soon as it happens. Doom: something still goes on, but whatever
the peer answers, it leads nowhere; that is searched for from the end of a recording.

What surrounds an account is known from its first `started` on; before that, and where
a search takes too long, nothing is claimed.
"""

from collections.abc import Iterator

import msgspec

from holdfast.core.commands import Command
from holdfast.core.events import RetryRequested, SendRequested, Started, StopRequested
from holdfast.core.policy import Policy
from holdfast.replay.explore.rescue import (
    RESCUERS,
    Rescuer,
    can_come_back,
    is_silent,
    watch,
)
from holdfast.replay.explore.scope import Surroundings
from holdfast.replay.lines import UNKNOWN, FactLine
from holdfast.replay.platforms import State
from holdfast.replay.sources import Life
from holdfast.replay.stepping import steps

_commands = msgspec.json.Decoder(list[Command])
BY_THE_HOST = (Started, StopRequested, RetryRequested, SendRequested)


class Watcher:
    """Follows a life fact by fact: call `look` for each, in order."""

    def __init__(self, life: Life) -> None:
        self._rescuer: Rescuer = RESCUERS[life.platform.name]
        self._world: Surroundings = self._rescuer.environment.begin
        self._state: State = life.start
        self._policy: Policy = life.policy
        self._silent = False

    def look(self, line: FactLine, after: State, produced: list[Command]) -> bool:
        """Say whether the account falls silent with this fact."""
        if isinstance(line.event, Started) and line.event.policy is not None:
            self._policy = line.event.policy
        commands = produced
        if line.commands != UNKNOWN:
            commands = _commands.decode(line.commands)
        self._world = watch(self._rescuer, self._world, line, commands)
        self._state = after
        before, self._silent = self._silent, self.is_silent()
        return self._silent and not before

    def is_silent(self) -> bool:
        """Say whether nothing goes on now, and nobody was told."""
        return is_silent(self._rescuer, self._state, self._world)

    def is_doomed(self) -> bool:
        """Say whether certainly nothing that the peer does leads to health."""
        rescued = can_come_back(self._rescuer, self._state, self._world, self._policy)
        return rescued is False


def doomed_since(lives: Iterator[Life]) -> int:
    """Return the seq of the fact that doomed a life which ends doomed.

    Every life of the iterator is the same one, to be gone through once. Only facts
    after the host's last are looked at: before, it could have helped.
    """
    last = first = 0
    for line, *_ in steps(next(lives)):
        last = line.seq
        if isinstance(line.event, BY_THE_HOST):
            first = line.seq
    while first < last:
        middle = (first + last) // 2
        if _doomed_at(next(lives), middle):
            last = middle
        else:
            first = middle + 1
    return last


def _doomed_at(life: Life, seq: int) -> bool:
    watcher = Watcher(life)
    for line, _, after, commands in steps(life):
        watcher.look(line, after, commands)
        if line.seq >= seq:
            break
    return watcher.is_doomed()
