"""The point of no return: after which fact nothing but the host could help.

Two things make one. Silence: nothing is under way, no timer is set, and nobody was
told; that is seen as soon as it happens. Doom: something still goes on, but whatever
the peer answers, it leads nowhere; that is searched for from the end of a recording.

What surrounds an account is known from its first `started` on; before that, and where
a search takes too long, nothing is claimed.
"""

import msgspec

from holdfast.core.commands import Command
from holdfast.core.events import Started
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
        return is_silent(self._state, self._world)

    def can_come_back(self) -> bool | None:
        """Say whether a peer that is well can bring health; None: not known."""
        return can_come_back(self._rescuer, self._state, self._world, self._policy)

    def is_doomed(self) -> bool:
        """Say whether certainly nothing that a well peer does leads to health."""
        return self.can_come_back() is False


def doomed_since(life: Life) -> int:
    """Return the seq of the fact that doomed a life which ends doomed for good.

    A host or a human may have ended an earlier doom, so every fact is looked at.
    """
    since = 0
    watcher = Watcher(life)
    for line, _, after, commands in steps(life):
        watcher.look(line, after, commands)
        if not watcher.is_doomed():
            since = 0
        elif not since:
            since = line.seq
    return since
