"""The QQ platform of a simulation."""

import random
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from msgspec.structs import replace

from holdfast.core.policy import JournalPolicy, Policy
from holdfast.core.qq import POLICY
from holdfast.io.config import QqAccount
from holdfast.replay.simulate.network import Host
from holdfast.replay.simulate.side import Kind, Side
from holdfast.replay.world.online import Clock
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
from holdfast.replay.world.qq_say import Say
from holdfast.replay.world.qq_settings import DAY_MS, Settings, Strict
from holdfast.replay.world.serve_qq import ServedQq, serve_qq

MINUTE_MS = 60_000
# The platform forgets nothing of its own: what is lost then, we have lost. When a
# socket is gone, and how far apart two calls arrive, is the network's doing.
SETTINGS = Settings(
    log_max=0,
    held_max=100_000,
    buffer_max=100_000,
    resume_ms=7 * DAY_MS,
    strict=Strict(one_socket=False, concurrency=False),
)

# A token refused twice before a socket was confirmed costs the session, by the rule for
# 4004: in one long outage two deaths of tokens would, and so all that waits in it.
TOKENS_LIVE_MS = 6 * 60 * MINUTE_MS

FAULTS: tuple[AnyFault, ...] = (
    *(Closing(close=code) for code in (1000, 1001, 1005, 1006, 1011, 4008, 4009)),
    Closing(close=1006, reset=True),
    Closing(close=1006, torn=True),
    Closing(first="op7"),
    Closing(first="op7", close=4009, after_ms=5_000),
    Silence(),
    Acks(to_ms=200_000),
    Freeze(to_ms=322_000),
    *(Outage(to_ms=minutes * MINUTE_MS) for minutes in (1, 17, 95)),
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
    Token(to_ms=1),
    Token(closing=True, to_ms=1),
    Hello(kind="absent", count=1),
    Hello(kind="silent", count=1),
    *(Hello(interval_ms=ms, count=1) for ms in (0, 5_000, 10**9)),
    Answer(at="websocket", status=200, body="<html>", count=2),
    Answer(at="gateway_bot", status=500, count=2),
    Answer(at="gateway_bot", code=100017, status=400, count=2),
    Answer(at="token", code=100001, count=2),
    Answer(at="send", status=500, count=1),
    Answer(at="send", acted=True, status=502, body="<html>", count=1),
    Answer(at="send", acted=True, wire="never_answer", count=1),
    Answer(at="send", acted=True, wire="reset_before_headers", count=1),
    Answer(at="send", code=11244, status=401, count=1),
    Answer(at="send", code=22009, status=400, count=1),
    Answer(at="send", delay_ms=40_000, count=1),
)
# After these the platform itself throws away what came meanwhile.
ENDS: tuple[AnyFault, ...] = (
    *(Closing(close=code) for code in (4006, 4007, 4900)),
    Closing(first="op9_false"),
    Closing(first="op9_false", close=4902, after_ms=300),
    Closing(first="op9_true"),
    Resume(close=1006, count=1),
)


class QqSide(Side):
    """The QQ platform online, and the users of one bot."""

    account = "bob"
    forgets = True

    def __init__(self, served: ServedQq) -> None:
        self._served = served
        self._tokens_die_ms = 0

    def configured(self, policy: Policy) -> QqAccount:
        """Return the account."""
        served = self._served
        return QqAccount(
            name=self.account,
            app_id=served.peer.settings.app_id,
            secret=served.peer.settings.secret,
            api_url=served.url,
            token_url=served.token_url,
            policy=policy,
        )

    def say(self, user: int, text: str) -> None:
        """Let a user write."""
        self._served.say(Say(text=text, chat=f"0A1B2C3D4E5F{user:020X}"))

    def go_wrong(self, chance: random.Random) -> str:
        """Arm a fault; what is over is no longer looked at."""
        fault = chance.choice(FAULTS)
        now_ms = self._served.now_ms()
        if isinstance(fault, Token):
            if now_ms < self._tokens_die_ms:
                return "nothing"
            self._tokens_die_ms = now_ms + TOKENS_LIVE_MS
        self._served.arm(fault)
        return f"{fault}"

    def end_session(self, chance: random.Random) -> str:
        """Let the session be refused."""
        fault = chance.choice(ENDS)
        self._served.arm(fault)
        return f"{fault}"

    def heal(self) -> None:
        """Let the platform be good."""
        self._served.heal()

    def shown(self) -> Mapping[str, tuple[str, ...]]:
        """Return under which message ids each text was shown."""
        found: dict[str, tuple[str, ...]] = {}
        for texts in self._served.peer.shown.values():
            for one in texts:
                found[one.text] = (*found.get(one.text, ()), one.message_id)
        return found

    @property
    def violations(self) -> tuple[str, ...]:
        """Return what the platform has against the client."""
        return self._served.peer.violations


@asynccontextmanager
async def online(host: Host, now_ms: Clock) -> AsyncIterator[QqSide]:
    """Put the platform online."""
    async with serve_qq(SETTINGS, now_ms=now_ms, door=host) as served:
        yield QqSide(served)


def policy(chance: random.Random) -> Policy:
    """Return the default policy but for two numbers.

    Mostly with fewer pings: they cost half of a run. And with more patience for a
    session: by default one is given up after two Resumes without answer, whatever ended
    them (docs/adr/0013), and then the platform throws away what waits in it. When the
    network swallows both, a loss is the price of that rule, and nothing else of it.
    """
    journal = JournalPolicy(snapshot_facts=chance.choice((50, 400, 1_000)))
    ping_ms = chance.choice((20_000, 60_000, 120_000))
    connection = replace(POLICY.connection, ping_ms=ping_ms)
    gateway = replace(POLICY.gateway, resumes_max=100)
    return replace(POLICY, journal=journal, connection=connection, gateway=gateway)


QQ = Kind(policy, online)
