"""The iLink peer of a simulation."""

import random
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Final

from msgspec.structs import replace

from holdfast.core.policy import JournalPolicy, Policy
from holdfast.core.weixin import POLICY
from holdfast.io.config import WeixinAccount
from holdfast.replay.simulate.network import Host
from holdfast.replay.simulate.side import Kind, Side
from holdfast.replay.world.online import Clock
from holdfast.replay.world.serve import serve_weixin
from holdfast.replay.world.served import Served
from holdfast.replay.world.weixin_faults import (
    AnyFault,
    ClockJump,
    Code,
    Cursor,
    Fields,
    Freeze,
    Garbage,
    HttpStatus,
    Late,
    NoHold,
    Outage,
    Padding,
    Wire,
    Withhold,
)
from holdfast.replay.world.weixin_inbound import Copy, Inbound
from holdfast.replay.world.weixin_settings import Settings

POLL: Final = "getupdates"
SEND: Final = "sendmessage"
MINUTE_MS = 60_000
# Without the diary a request costs half; a send is shown twice when it is made twice,
# so that what a repeat does is seen.
SETTINGS = Settings(log_max=0)

FAULTS: tuple[AnyFault, ...] = (
    Code(at=POLL, errcode=-14, errmsg="session timeout", count=1),
    Code(at=POLL, ret=-14, count=2),
    Code(at=POLL, errcode=-14, count=1, acted=True),
    Code(at=POLL, ret=-1, errmsg="system error", count=3),
    Code(at=SEND, ret=-2, errmsg="prepare failed", count=1),
    Code(at=SEND, errcode=-14, errmsg="session timeout", count=1),
    Code(at="notifystart", ret=-14, count=2),
    *(HttpStatus(status=status, count=3) for status in (502, 524, 429)),
    HttpStatus(at=SEND, status=502, count=1, acted=True),
    *(Garbage(kind=kind, count=1) for kind in ("html", "empty", "null", "truncated")),
    Garbage(at=POLL, kind="truncated", carrying=True, count=2, acted=True),
    *(Wire(at=POLL, how=how, count=2) for how in ("reset_in_body", "cut_body")),
    *(
        Wire(at=POLL, how=how, count=2, acted=True, carrying=True)
        for how in ("reset_before_headers", "cut_body", "never_answer", "wrong_length")
    ),
    *(
        Wire(at=SEND, how=how, count=1, acted=True)
        for how in ("reset_before_headers", "reset_after_body", "never_answer")
    ),
    Wire(at=SEND, how="accept_and_close", count=2),
    Wire(how="headers_then_stall", for_ms=90_000, count=2),
    Wire(how="trickle", interval_ms=100, count=2),
    Fields(at=POLL, drop=("get_updates_buf",), count=2),
    Fields(at=POLL, set={"longpolling_timeout_ms": 10**9}, count=2),
    Fields(at=POLL, stringify=("longpolling_timeout_ms",), count=5),
    Fields(at=SEND, drop=("message_id",), count=2),
    Cursor(at=POLL, kind="unchanged", count=2),
    Cursor(at=POLL, kind="fresh", count=5),
    Cursor(at=POLL, kind="huge", count=1),
    Padding(at=POLL, bytes=300_000, count=1),
    Late(at=POLL, delay_ms=50_000, count=1),
    Late(at=SEND, delay_ms=40_000, count=1),
    Freeze(to_ms=2 * MINUTE_MS),
    NoHold(to_ms=MINUTE_MS),
    Withhold(to_ms=5 * MINUTE_MS),
    *(Outage(to_ms=minutes * MINUTE_MS) for minutes in (1, 17, 95)),
    ClockJump(by_ms=-3_600_000, to_ms=30 * MINUTE_MS),
)


class WeixinSide(Side):
    """The iLink peer online, and the users of one bot."""

    account = "alice"
    forgets = False

    def __init__(self, served: Served) -> None:
        self._served = served

    def configured(self, policy: Policy) -> WeixinAccount:
        """Return the account."""
        served = self._served
        return WeixinAccount(
            name=self.account,
            base_url=served.url,
            token=served.peer.token,
            policy=policy,
        )

    def say(self, user: int, text: str) -> None:
        """Let a user write."""
        name = f"o9cq80ExampleUser{user:010}@im.wechat"
        self._served.say(Inbound(text=text, from_user=name))

    def go_wrong(self, chance: random.Random) -> str:
        """Arm a fault, or let the newest message come once more."""
        number = chance.randrange(len(FAULTS) + 1)
        if number < len(FAULTS):
            fault = FAULTS[number]
            self._served.arm(fault)
            return f"{fault}"
        if self._served.peer.inbound:
            self._served.repeat(Copy())
        return "repeat"

    def end_session(self, chance: random.Random) -> str:
        """Let another client be bound for a while, or for good until the next heal."""
        self._served.rebind()
        if chance.random() < 0.5:  # noqa: PLR2004 - either way
            self._served.bind_elsewhere()
        return "binding"

    def heal(self) -> None:
        """Let the peer be good, and the login too."""
        self._served.heal()
        self._served.rebind()

    def shown(self) -> Mapping[str, tuple[str, ...]]:
        """Return under which client ids each text was shown, each id once."""
        found: dict[str, dict[str, None]] = defaultdict(dict)
        for texts in self._served.peer.shown.values():
            for one in texts:
                found[one.text][one.client_id] = None
        return {text: tuple(ids) for text, ids in found.items()}

    @property
    def violations(self) -> tuple[str, ...]:
        """Return what the peer has against the client."""
        return self._served.peer.violations


@asynccontextmanager
async def online(host: Host, now_ms: Clock) -> AsyncIterator[WeixinSide]:
    """Put the peer online."""
    async with serve_weixin(SETTINGS, now_ms=now_ms, door=host) as served:
        yield WeixinSide(served)


def policy(chance: random.Random) -> Policy:
    """Return the default policy, with snapshots more or less often."""
    journal = JournalPolicy(snapshot_facts=chance.choice((50, 400, 1_000)))
    return replace(POLICY, journal=journal)


WEIXIN = Kind(policy, online)
