"""A run: so many hours of one account in which everything goes wrong, then a few more.

One seed gives one run, the same in every process. Virtual time, no threads, no sockets.
"""

import gc
import tempfile
from collections.abc import Callable
from pathlib import Path

import trio
from msgspec import Struct
from trio.testing import MockClock

from holdfast.io.clock import TrioClock
from holdfast.replay.simulate.disk import Disk
from holdfast.replay.simulate.fate import Fate, Stage
from holdfast.replay.simulate.kinds import KINDS
from holdfast.replay.simulate.ledger import Finding, Ledger
from holdfast.replay.simulate.life import Life, Place
from holdfast.replay.simulate.network import Internet
from holdfast.replay.simulate.scheduler import chance, scheduled_by
from holdfast.replay.simulate.side import USERS
from holdfast.replay.simulate.verdict import (
    judge_health,
    judge_journal,
    judge_messages,
    judge_replies,
)
from holdfast.replay.world.online import clock_from

# 2026-03-01 20:00 UTC, as in the incidents.
START_MS = 1_772_395_200_000
HOUR_S = 3_600.0
# Longer than any downtime; what waits for a user is released at two thirds of it.
HEAL_S = HOUR_S
STEP_S = 600.0
DOWN_S = (0.5, 90.0)
DOWN_LONG_S = 30 * 60.0
# Where there is one, a folder that never leaves memory: power losses are modelled.
MEMORY = Path("/dev/shm")  # noqa: S108 - a folder of our own is made in it.

Progress = Callable[[float], None]


class Plan(Struct, frozen=True):
    """What is to be simulated."""

    platform: str
    seed: int
    hours: float

    @property
    def command(self) -> str:
        """What repeats this run."""
        asked = f"--platform {self.platform} --seed {self.seed} --hours {self.hours!r}"
        return f"holdfast simulate {asked}"


class Outcome(Struct, frozen=True):
    """What came of a run; without `findings` every promise was kept.

    `digest` is of all that the journal holds in the end. `replies` counts what became
    of them, `faults` what went wrong, `hours` is all virtual time.
    """

    plan: Plan
    hours: float
    messages: int
    offered_again: int
    lives: int
    facts: int
    digest: str
    replies: dict[str, int]
    faults: dict[str, int]
    findings: tuple[Finding, ...]


def simulate(
    plan: Plan,
    *,
    progress: Progress = lambda _: None,
    keep: Callable[[Path, str], object] | None = None,
    lying_disk: bool = False,
) -> Outcome:
    """Live through a plan and judge it.

    `progress` is called with the virtual hours that passed, `keep` with the data folder
    and the account's name before they go. `lying_disk` is a machine on which no promise
    can be kept, to see that this is found.
    """
    root = MEMORY if MEMORY.is_dir() else None
    with (
        tempfile.TemporaryDirectory(prefix="holdfast-", dir=root) as folder,
        scheduled_by(plan.seed),
    ):
        disk = Disk(Path(folder), chance(plan.seed, "disk"), lies=lying_disk)
        run = _Run(plan, disk, progress)
        trio.run(run.live, clock=run.clock)
        if keep is not None:
            keep(disk.data_dir, run.account)
        return run.outcome()


class _Run:
    def __init__(self, plan: Plan, disk: Disk, progress: Progress) -> None:
        self.clock = MockClock(autojump_threshold=0)
        self.account = ""
        self._plan = plan
        self._disk = disk
        self._progress = progress
        self._ledger = Ledger()
        self._lives = 0
        self._replies: dict[str, int] = {}
        self._faults: dict[str, int] = {}
        self._facts = 0

    async def live(self) -> None:
        """Let things go wrong, let them heal, and judge."""
        seed, kind = self._plan.seed, KINDS[self._plan.platform]
        internet = Internet(chance(seed, "network"))
        host = internet.host("peer.test:80")
        async with kind.online(host, clock_from(START_MS)) as side:
            self.account = side.account
            stage = Stage(side, internet, self._disk, self._ledger, self.clock.jump)
            place = Place(
                account=side.configured(kind.policy(chance(seed, "policy"))),
                internet=internet,
                disk=self._disk,
                clock=TrioClock(START_MS),
                ledger=self._ledger,
                chance=chance(seed, "bot"),
            )
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._live_on, stage, place)
                await self._suffer(stage)
                await self._heal(stage)
                self._judge(stage)
                nursery.cancel_scope.cancel()
        self._facts = judge_journal(self._ledger, self._disk.data_dir, self.account)

    async def _live_on(self, stage: Stage, place: Place) -> None:
        """Live one life after another on what the one before left."""
        while True:
            self._lives += 1
            life = stage.life = Life(place)
            await life.run()
            down_s = place.chance.uniform(*DOWN_S)
            if place.chance.random() < 0.1:  # noqa: PLR2004 - now and then
                down_s += place.chance.uniform(0, DOWN_LONG_S)
            await trio.sleep(down_s)

    async def _suffer(self, stage: Stage) -> None:
        fate = Fate(stage, chance(self._plan.seed, "fate"))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(fate.run)
            await self._pass(self._plan.hours * HOUR_S)
            nursery.cancel_scope.cancel()
        fate.heal()
        self._faults = fate.counts

    async def _heal(self, stage: Stage) -> None:
        """Let each user write once more, which releases what waits for that."""
        await self._pass(HEAL_S * 2 / 3)
        for user in range(USERS):
            text = f"message {len(self._ledger.said)}"
            self._ledger.said[text] = None
            stage.side.say(user, text)
        await self._pass(HEAL_S / 3)

    async def _pass(self, for_s: float) -> None:
        while for_s > 0:
            step_s = min(for_s, STEP_S)
            await trio.sleep(step_s)
            for_s -= step_s
            # Always at the same moments, see `scheduled_by`.
            gc.collect()
            self._progress(step_s / HOUR_S)

    def _judge(self, stage: Stage) -> None:
        service = stage.life.service if stage.life else None
        if service is None:
            self._ledger.find("unhealed", "the service does not run in the end")
            return
        judge_messages(self._ledger, stage.side, service)
        judge_health(self._ledger, stage.side, service)
        self._replies = dict(judge_replies(self._ledger, stage.side, service))

    def outcome(self) -> Outcome:
        """Return what came of it."""
        ledger = self._ledger
        return Outcome(
            plan=self._plan,
            hours=self.clock.current_time() / HOUR_S,
            messages=len(ledger.said),
            offered_again=sum(lives - 1 for lives in ledger.offers.values()),
            lives=self._lives,
            facts=self._facts,
            digest=self._disk.digest(),
            replies=self._replies,
            faults=dict(sorted(self._faults.items())),
            findings=tuple(ledger.findings),
        )
