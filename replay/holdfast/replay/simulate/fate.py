"""Fate: what goes wrong, and when; all of it from the seed."""

import random
from collections.abc import Callable, Mapping
from typing import TypeAlias

import trio
from msgspec import Struct

from holdfast.replay.simulate.disk import PASSING, Disk
from holdfast.replay.simulate.ledger import Ledger
from holdfast.replay.simulate.life import End, Life
from holdfast.replay.simulate.network import Blow, Internet, Mood
from holdfast.replay.simulate.scheduler import Fuse
from holdfast.replay.simulate.side import USERS, Side

MINUTE_S = 60.0
# The mean time between two of a kind.
SAY_S = 10 * MINUTE_S
MOOD_S, BLOW_S = 40 * MINUTE_S, 25 * MINUTE_S
PEER_S, SESSION_S = 30 * MINUTE_S, 6 * 60 * MINUTE_S
DISK_S, STALL_S, END_S = 60 * MINUTE_S, 60 * MINUTE_S, 50 * MINUTE_S
MOOD_LASTS_S = 12 * MINUTE_S
# A wait for the disk with others running (a commit is tried again), and without.
TRIES_MAX, STALL_S_MAX = 7, 12.0
# A kill comes so many turns of tasks after a user wrote.
TURNS_MAX = 400
WELL_LOOKS = 2

ENDS: tuple[End, ...] = ("stop", "kill", "unplug", "unplug")
Happening: TypeAlias = Callable[[], None]


class Stage(Struct):
    """What fate has its hands on; `life` is the process that runs now."""

    side: Side
    internet: Internet
    disk: Disk
    ledger: Ledger
    stall: Callable[[float], None]
    life: Life | None = None
    is_silent: bool = False


class Fate:
    """Run it while things may go wrong; cancel it, and `heal`, to end that."""

    def __init__(self, stage: Stage, chance: random.Random) -> None:
        self._stage = stage
        self._chance = chance
        self._fuse: Fuse | None = None
        # {what happened: how often}
        self.counts: dict[str, int] = {}

    async def run(self) -> None:
        """Let things happen, each kind in its own rhythm, until cancelled."""
        rhythms: Mapping[Happening, float] = {
            self._say: SAY_S,
            self._change_mood: MOOD_S,
            self._strike: BLOW_S,
            self._spoil_peer: PEER_S,
            self._spoil_disk: DISK_S,
            self._stall: STALL_S,
            self._end_life: END_S,
        }
        async with trio.open_nursery() as nursery:
            for happening, mean_s in rhythms.items():
                nursery.start_soon(self._recur, happening, mean_s)
            nursery.start_soon(self._end_sessions)

    def heal(self) -> None:
        """Let nothing be wrong from here on but what it led to."""
        if self._fuse:
            self._fuse.put_out()
        self._stage.internet.mood = Mood.FAIR
        self._stage.disk.fail(0, 0)
        self._stage.side.heal()

    async def _recur(self, happening: Happening, mean_s: float) -> None:
        while True:
            await trio.sleep(self._chance.expovariate(1 / mean_s))
            happening()

    def _say(self) -> None:
        if self._stage.is_silent:
            return
        for _ in range(self._chance.choice((1, 1, 1, 2, 5))):
            said = self._stage.ledger.said
            text = f"message {len(said)}"
            said[text] = None
            self._stage.side.say(self._chance.randrange(USERS), text)
        if self._chance.random() < 0.15:  # noqa: PLR2004 - now and then
            self._light_fuse()

    def _change_mood(self) -> None:
        internet = self._stage.internet
        if internet.mood is not Mood.FAIR and self._chance.random() < 0.7:  # noqa: PLR2004 - mostly
            internet.mood = Mood.FAIR
            return
        internet.mood = self._chance.choice([*Mood])
        self._count(f"network {internet.mood}")

    def _strike(self) -> None:
        blow = self._chance.choice([*Blow])
        self._stage.internet.befall(blow)
        self._count(f"network {blow}")

    def _spoil_peer(self) -> None:
        side = self._stage.side
        if self._chance.random() < 0.5:  # noqa: PLR2004 - either way
            side.heal()
        side.go_wrong(self._chance)
        self._count("peer")

    def _spoil_disk(self) -> None:
        if self._chance.random() < 0.3:  # noqa: PLR2004 - a failed sync ends a life
            self._stage.disk.break_sync()
            self._count("disk sync")
            return
        tries = self._chance.randint(1, TRIES_MAX)
        self._stage.disk.fail(self._chance.choice(PASSING), tries)
        self._count("disk commit")

    def _stall(self) -> None:
        """Let the whole process stand still, as at a slow commit."""
        self._stage.stall(self._chance.uniform(0, STALL_S_MAX))
        self._count("stall")

    def _end_life(self) -> None:
        if self._chance.random() < 0.5:  # noqa: PLR2004 - either way
            self._light_fuse()
        else:
            self._end()

    def _light_fuse(self) -> None:
        if self._fuse:
            self._fuse.put_out()
        self._fuse = Fuse(self._chance.randint(1, TURNS_MAX), self._end)

    def _end(self) -> None:
        life = self._stage.life
        if life is not None and not life.is_over:
            how = self._chance.choice(ENDS)
            self._count(how)
            life.end(how)

    async def _end_sessions(self) -> None:
        """End the standing with the peer, when nothing is under way to be lost."""
        stage = self._stage
        if stage.side.forgets:
            await self._until_well()
        while True:
            await trio.sleep(self._chance.expovariate(1 / SESSION_S))
            stage.is_silent = True
            for _ in range(30):
                await trio.sleep(MINUTE_S)
                if stage.ledger.is_quiet():
                    stage.side.end_session(self._chance)
                    self._count("session")
                    await trio.sleep(10 * MINUTE_S)
                    break
            if stage.side.forgets:
                await self._until_well()
            stage.is_silent = False

    async def _until_well(self) -> None:
        """Let nobody write until the account was well at two looks in a row.

        What is said into a session whose beginning got lost on the way, nobody can
        ever resume.
        """
        self._stage.is_silent = True
        looks = 0
        while looks < WELL_LOOKS:
            await trio.sleep(MINUTE_S)
            life = self._stage.life
            looks = looks + 1 if life is not None and life.is_well else 0
        self._stage.is_silent = False

    def _count(self, what: str) -> None:
        self.counts[what] = self.counts.get(what, 0) + 1
