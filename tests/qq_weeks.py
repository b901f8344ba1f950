"""A week of a QQ account: renewals, faults by chance, crashes, and users who write."""

from typing import NamedTuple

from lives import Chance
from qq_life import QqLife

from holdfast.core import connection, session
from holdfast.replay.world import qq as world
from holdfast.replay.world.qq_faults import (
    Acks,
    Answer,
    AnyFault,
    Closing,
    Freeze,
    Hello,
    Noise,
    Outage,
    Resume,
    Silence,
    Token,
    Twist,
)
from holdfast.replay.world.qq_settings import Settings

MINUTE_MS, HOUR_MS, DAY_MS = 60_000, 3_600_000, 86_400_000
# The platform forgets nothing of its own: what is lost then, we have lost.
FAITHFUL = Settings(log_max=0, held_max=100_000, resume_ms=DAY_MS)

FAULTS: tuple[AnyFault, ...] = (
    *(Closing(close=code) for code in (1000, 1001, 1005, 1006, 1011, 4008, 4009)),
    Closing(close=1006, reset=True),
    Closing(close=1006, torn=True),
    Closing(first="op7"),
    Closing(first="op7", close=4009, after_ms=5_000),
    Silence(),
    Acks(to_ms=200_000),
    Freeze(to_ms=322_000),
    *(Outage(to_ms=to_ms) for to_ms in (20_000, 93 * MINUTE_MS, 2 * HOUR_MS)),
    Twist(kind="repeat", count=3),
    Twist(kind="copy", after_ms=400_000, count=3),
    Twist(kind="skip", count=2),
    Twist(kind="back", count=2),
    Twist(kind="late", after_ms=3_000, count=2),
    Noise(kind="heartbeat"),
    Noise(kind="opcode"),
    Noise(kind="event"),
    Noise(kind="malformed"),
    Resume(kind="again", count=1),
    Resume(kind="shuffle", count=1),
    Resume(kind="early", count=1),
    Resume(kind="object", count=1),
    Resume(kind="late", late_ms=20_000, count=1),
    Resume(close=1006, count=1),
    Token(to_ms=1),
    Token(closing=True, to_ms=1),
    Hello(kind="absent", count=1),
    Hello(kind="silent", count=1),
    *(Hello(interval_ms=ms, count=1) for ms in (0, 5_000, 10**9)),
    Answer(at="websocket", status=200, body="<html>", count=2),
    Answer(at="gateway_bot", status=500, count=2),
    Answer(at="gateway_bot", code=100017, status=400, count=2),
    Answer(at="send", status=500, count=1),
    Answer(at="send", acted=True, status=502, body="<html>", count=1),
    Answer(at="send", code=11244, status=401, count=1),
    Answer(at="send", code=22009, status=400, count=1),
)
# After these the platform itself throws away what came meanwhile, so nobody writes.
ENDS: tuple[AnyFault, ...] = (
    *(Closing(close=code) for code in (4006, 4007, 4900)),
    Closing(first="op9_false"),
    Closing(first="op9_false", close=4902, after_ms=300),
    Closing(first="op9_true"),
)


class Week(NamedTuple):
    """What came of it; `wrong` are the messages that did not come exactly once."""

    seed: int
    messages: int
    wrong: tuple[str, ...]
    renewals: int
    identifies: int
    crashes: int
    sockets_most: int
    violations: int
    well: bool


def live_week(seed: int) -> Week:
    """Live a week, then three hours in which nothing goes wrong any more."""
    life = QqLife(seed, settings=FAITHFUL, say_gap_ms=5 * MINUTE_MS, replies=2)
    fate = Fate(life, seed)
    life.after(MINUTE_MS, fate.go_wrong)
    life.after(HOUR_MS, fate.end_session)
    life.after(2 * HOUR_MS, fate.crash)
    life.live(7 * DAY_MS)
    life.quiet = True
    life.peer = world.heal(life.peer, life.now_ms)
    life.live(3 * HOUR_MS)
    counts, state = life.peer.counts, life.state
    return Week(
        seed=seed,
        messages=len(life.said),
        wrong=tuple(one for one, often in life.offered.items() if often != 1),
        renewals=counts.recycles,
        identifies=counts.identifies,
        crashes=fate.crashes,
        sockets_most=life.open_most,
        violations=counts.violations,
        well=state.session.phase is session.Phase.ACTIVE
        and state.connection.phase is connection.Phase.HEARTBEATING,
    )


class Fate:
    """Lets things go wrong, by chance, for as long as a life lasts."""

    def __init__(self, life: QqLife, seed: int) -> None:
        self.life = life
        self.crashes = 0
        self._chance = Chance(seed * 77 + 1)

    def go_wrong(self) -> None:
        # What is over is no longer looked at, or a week would take twice as long.
        self.life.peer = world.heal(self.life.peer, self.life.now_ms)
        self.life.arm(FAULTS[self._chance.below(len(FAULTS))])
        self.life.after(1 + self._chance.below(6 * HOUR_MS), self.go_wrong)

    def end_session(self) -> None:
        self.life.quiet = True
        self.life.after(2 * MINUTE_MS, self._end)
        self.life.after(12 * MINUTE_MS, self._speak)
        pause_ms = DAY_MS // 4 + self._chance.below(DAY_MS)
        self.life.after(pause_ms, self.end_session)

    def crash(self) -> None:
        self.crashes += 1
        self.life.boot()
        self.life.after(1 + self._chance.below(16 * HOUR_MS), self.crash)

    def _end(self) -> None:
        self.life.arm(ENDS[self._chance.below(len(ENDS))])

    def _speak(self) -> None:
        self.life.quiet = False
