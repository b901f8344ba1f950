"""A peer that is online, as tests see it: its state, and what can be done to it."""

import math
import time
from collections.abc import Callable

import trio

from holdfast.replay.world import weixin
from holdfast.replay.world.weixin_faults import AnyFault, Code, Script
from holdfast.replay.world.weixin_inbound import Copy, Inbound, Message
from holdfast.replay.world.weixin_state import Peer

Clock = Callable[[], int]


def clock_from(start_ms: int) -> Clock:
    """Return a clock that shows `start_ms` now and goes as trio's clock goes."""
    origin_ms = start_ms - round(trio.current_time() * 1_000)
    return lambda: origin_ms + round(trio.current_time() * 1_000)


def wall_clock() -> Clock:
    """Return a clock that shows the time of day and goes as trio's clock goes."""
    return clock_from(time.time_ns() // 1_000_000)


class Served:
    """A peer that is online: what tests do to it, and what they wait for.

    `peer` is its state now. The control methods act at once; a held poll notices at the
    next turn of the loop.
    """

    def __init__(self, peer: Peer, now_ms: Clock) -> None:
        self.peer = peer
        self.now_ms = now_ms
        self.url = ""
        self.changed = trio.Event()

    def say(self, said: Inbound | str = "hello") -> Message:
        """Let a user write; return the message as polls will hand it out."""
        inbound = Inbound(text=said) if isinstance(said, str) else said
        self.become(weixin.say(self.peer, self.now_ms(), inbound))
        return self.peer.inbound[-1]

    def repeat(self, copy: Copy | None = None, *, of: int = -1) -> Message:
        """Let the message at position `of` come once more, changed as `copy` says."""
        peer = weixin.repeat(self.peer, self.now_ms(), copy or Copy(), of=of)
        self.become(peer)
        return self.peer.inbound[-1]

    def arm(self, fault: AnyFault) -> None:
        """Put a fault on the clock from now."""
        self.become(weixin.arm(self.peer, self.now_ms(), fault))

    def load(self, script: Script) -> None:
        """Start a script now."""
        self.become(weixin.load(self.peer, self.now_ms(), script))

    def heal(self, kind: type[AnyFault] | None = None) -> None:
        """Take faults of one type, or all, off the clock."""
        self.become(weixin.heal(self.peer, kind))

    def bind_elsewhere(self, *, after_ms: int = 0) -> None:
        """Let the user bind another client, so that the token is dead (S13)."""
        peer = weixin.bind_elsewhere(self.peer, self.now_ms(), after_ms=after_ms)
        self.become(peer)

    def rebind(self, *, token: str | None = None, bot_id: str | None = None) -> None:
        """Let the user log in again; without a token the old one is good again."""
        peer = weixin.rebind(self.peer, self.now_ms(), token=token, bot_id=bot_id)
        self.become(peer)

    def expire_context(self, user: str, *, refusal: Code | None = None) -> None:
        """Let the context tokens issued to a user so far go bad."""
        now_ms = self.now_ms()
        self.become(weixin.expire_context(self.peer, now_ms, user, refusal=refusal))

    async def until(self, predicate: Callable[[Peer], object]) -> Peer:
        """Wait until the predicate holds and return the peer as it is then.

        The peer is looked at after changes only, and two changes may come between two
        looks: ask for what stays (the log, what was shown), not for what passes.
        """
        while not predicate(self.peer):
            await self.changed.wait()
        return self.peer

    def become(self, peer: Peer) -> None:
        """Take on a new state and wake all who wait for a change."""
        if peer is self.peer:
            return
        self.peer = peer
        changed, self.changed = self.changed, trio.Event()
        changed.set()

    async def pause(self, changed: trio.Event, until_ms: int | None) -> None:
        """Wait for a change, at most until a time on the peer's clock."""
        wait_ms = math.inf if until_ms is None else max(0, until_ms - self.now_ms())
        with trio.move_on_after(wait_ms / 1_000):
            await changed.wait()
