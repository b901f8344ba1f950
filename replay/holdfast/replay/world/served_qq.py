"""A QQ platform that is online, as tests see it: its state, and what can be done."""

import math
from typing import Any

import trio

from holdfast.replay.world import qq
from holdfast.replay.world.online import Clock, Online
from holdfast.replay.world.qq_faults import AnyFault, Script
from holdfast.replay.world.qq_say import Event, Say
from holdfast.replay.world.qq_state import Peer, collect
from holdfast.replay.world.qq_wire import Heard, Left, Out, Ping, Text


class ServedQq(Online[Peer]):
    """A QQ platform that is online: what tests do to it, and what they wait for.

    `peer` is its state now, `url` the base of token and REST calls; the WebSocket
    address is what the gateway call says. The control methods act at once.
    """

    def __init__(self, peer: Peer, now_ms: Clock) -> None:
        super().__init__(peer, now_ms)
        self._outs: dict[int, trio.MemorySendChannel[Out]] = {}

    @property
    def token_url(self) -> str:
        """Where access tokens are had."""
        return f"{self.url}/app/getAppAccessToken"

    def say(self, said: Say | str = "hello") -> str:
        """Let a user write; return the id under which a reply to it counts."""
        said = Say(text=said) if isinstance(said, str) else said
        self.become(qq.say(self.peer, self.now_ms(), said))
        return self.peer.reply_to

    def event(self, name: str, **data: Any) -> str:
        """Let any other event happen; return its outer id."""
        given = Event(name=name, data=data)
        self.become(qq.event(self.peer, self.now_ms(), given))
        return self.peer.reply_to

    def arm(self, fault: AnyFault) -> None:
        """Put a fault on the clock from now."""
        self.become(qq.arm(self.peer, self.now_ms(), fault))

    def load(self, script: Script) -> None:
        """Start a script now."""
        self.become(qq.load(self.peer, self.now_ms(), script))

    def heal(self, kind: type[AnyFault] | None = None) -> None:
        """Take faults of one type, or all, off the clock."""
        self.become(qq.heal(self.peer, self.now_ms(), kind))

    def drop_tokens(self) -> None:
        """Let all access tokens issued so far be dead."""
        self.become(qq.drop_tokens(self.peer, self.now_ms()))

    def drop_sessions(self) -> None:
        """Let no Resume succeed."""
        self.become(qq.drop_sessions(self.peer, self.now_ms()))

    def close(self, code: int) -> None:
        """Close every socket with this code."""
        self.become(qq.close(self.peer, self.now_ms(), code))

    def hear(self, number: int, heard: Heard) -> None:
        """Let the platform hear something on a socket."""
        now_ms = self.now_ms()
        match heard:
            case Text():
                self.become(qq.hear(self.peer, now_ms, number, heard.text))
            case Ping():
                self.become(qq.ping(self.peer, now_ms, number, heard.data))
            case Left():
                code, reason = heard.code, heard.reason
                self.become(qq.leave(self.peer, now_ms, number, code, reason))

    def become(self, peer: Peer) -> None:
        """Take on a new state, and hand out what is to be done on the sockets."""
        peer, outs = collect(peer)
        super().become(peer)
        for out in outs:
            if channel := self._outs.get(out.socket):
                channel.send_nowait(out)

    def attach(self, number: int) -> trio.MemoryReceiveChannel[Out]:
        """Return where the things to be done on this socket arrive from now on."""
        send, receive = trio.open_memory_channel[Out](math.inf)
        self._outs[number] = send
        return receive

    def detach(self, number: int) -> None:
        """Let nothing more arrive for this socket."""
        del self._outs[number]

    async def thaw(self) -> None:
        """Wait until the platform hears again (see `Freeze`)."""
        while self.peer.frozen_ms > self.now_ms():
            await self.pause(self.changed, self.peer.frozen_ms)
