"""A peer that is online, as tests see it: its state, and what can be done to it."""

from holdfast.replay.world import weixin
from holdfast.replay.world.online import Clock, Online, clock_from, wall_clock
from holdfast.replay.world.weixin_faults import AnyFault, Code, Script
from holdfast.replay.world.weixin_inbound import Copy, Inbound, Message
from holdfast.replay.world.weixin_state import Peer

__all__ = ["Clock", "Served", "clock_from", "wall_clock"]


class Served(Online[Peer]):
    """A peer that is online: what tests do to it, and what they wait for.

    `peer` is its state now. The control methods act at once; a held poll notices at the
    next turn of the loop.
    """

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
