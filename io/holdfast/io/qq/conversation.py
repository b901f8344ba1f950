"""Conversations: what goes over one socket, both ways, from the dial to its end.

Frames become facts one by one, in order, and wait where the owner's inbox is full; the
library stops reading then, and so does the peer. What we say is queued and written by
one task, each write with a deadline of its own that nothing else may cut short.
"""

import math

import trio

from holdfast.core.commands import (
    CloseSocket,
    Heartbeat,
    Identify,
    Ping,
    Resume,
)
from holdfast.core.qq_events import (
    DialFailed,
    GatewayEvent,
    PongReceived,
    SocketClosed,
    SocketOpened,
)
from holdfast.io.draft import Draft
from holdfast.io.opening import masked
from holdfast.io.qq import inbound, wire
from holdfast.io.qq.gateway import DialError, Dialling, Line, LineEnded, dial
from holdfast.io.rules import Order, Post
from holdfast.io.vault import Vault

# Longer than any write that still makes sense: heartbeats have deadlines, too.
WRITE_S = 5.0
# For what was said before, and for the close frame itself.
CLOSE_S = 0.5
GIVEN_UP = "told to close before the socket was open"


class Conversation:
    """One dial and the socket that may come of it. Call `run` once, `tell` any time."""

    def __init__(self, epoch: int, vault: Vault, post: Post) -> None:
        self.epoch = epoch
        self._vault = vault
        self._post = post
        self._orders_in, self._orders = trio.open_memory_channel[Order](math.inf)
        self._dialling = trio.CancelScope()
        self._writing = trio.CancelScope()
        # When the last write must be done; set by the order to close.
        self._over_at = math.inf
        self._stalled = False
        # What this socket was shown and no fact may repeat.
        self._secrets: set[str] = set()

    def tell(self, order: Order) -> None:
        """Queue an order; one to close leaves those before it half a second."""
        self._orders_in.send_nowait(order)
        if isinstance(order, CloseSocket):
            self._over_at = trio.current_time() + CLOSE_S
            self._writing.deadline = min(self._writing.deadline, self._over_at)
            self._dialling.cancel()

    async def run(self, how: Dialling) -> None:
        """Dial, and converse until the socket's end; every end is one fact."""
        failed: DialFailed | None = DialFailed(self.epoch, "reset", reason=GIVEN_UP)
        with self._dialling:
            try:
                async with dial(how) as line:
                    failed = None
                    # From here on the order to close is one among others.
                    self._dialling = trio.CancelScope()
                    await self._converse(line)
            except DialError as error:
                kind, reason = error.kind, masked(error.reason, self._secrets)
                failed = DialFailed(self.epoch, kind, error.status, reason)
        if failed:
            await self._say(failed)

    async def _converse(self, line: Line) -> None:
        await self._say(SocketOpened(self.epoch))
        ended = LineEnded("dropped", None, "")
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._write_on, line, nursery)
                try:
                    ended = await self._read_on(line)
                finally:
                    # A write that hangs ends here, too.
                    with trio.CancelScope(shield=True):
                        await line.drop()
                nursery.cancel_scope.cancel()
        finally:
            await self._end(ended)

    async def _read_on(self, line: Line) -> LineEnded:
        """Post a fact for every frame; return how the line ended."""
        while True:
            try:
                message = await line.receive()
            except LineEnded as ended:
                return ended
            frame = wire.open_frame(message)
            await self._record(inbound.receive(frame, self.epoch, self._vault))

    async def _end(self, ended: LineEnded) -> None:
        kind = ended.kind
        if self._stalled:
            kind = "stalled"
        elif self._over_at < math.inf:
            kind = "dropped"
        reason = masked(ended.reason, self._secrets)
        await self._say(SocketClosed(self.epoch, kind, ended.code, reason))

    async def _write_on(self, line: Line, nursery: trio.Nursery) -> None:
        """Carry out the orders, one after the other; drop the line when one hangs."""
        async for order in self._orders:
            over_at = min(trio.current_time() + WRITE_S, self._over_at)
            with trio.CancelScope(deadline=over_at, shield=True) as self._writing:
                await self._write(order, line, nursery)
            if self._writing.cancelled_caught:
                self._stalled = self._over_at == math.inf
            elif not isinstance(order, CloseSocket):
                continue
            await line.drop()
            return

    async def _write(self, order: Order, line: Line, nursery: trio.Nursery) -> None:
        match order:
            case Identify():
                token = self._show(self._vault.token(order.token))
                await line.send(wire.identify(token, order.intents, order.shard))
            case Resume():
                token = self._show(self._vault.token(order.token))
                session = self._show(self._vault.text(order.session))
                await line.send(wire.resume(token, session, order.seq))
            case Heartbeat():
                await line.send(wire.heartbeat(order.seq))
            case Ping():
                pong = await line.ping()
                if pong is not None:
                    nursery.start_soon(self._await_pong, pong)
            case CloseSocket():
                await line.close()

    async def _await_pong(self, pong: trio.Event) -> None:
        await pong.wait()
        await self._say(PongReceived(self.epoch))

    def _show(self, secret: str) -> str:
        self._secrets.add(secret)
        return secret

    async def _say(self, event: GatewayEvent) -> None:
        await self._record(Draft((event,)))

    async def _record(self, draft: Draft) -> None:
        """Post what is known now, also when this task was just cancelled."""
        with trio.CancelScope(shield=True):
            await self._post(draft)
