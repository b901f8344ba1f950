"""HTTP/1.1 on one connection, and all the ways in which its bytes can go wrong.

Requests are read and honest answers written by h11, which keeps a connection alive as
the standard says. A broken `Transport` is carried out for real: a reset is an RST.
"""

import math
from collections.abc import Awaitable, Callable
from typing import TypeVarTuple

import h11
import trio

from holdfast.replay.world.serve_door import End
from holdfast.replay.world.wire import Reply, Request, Transport

Ts = TypeVarTuple("Ts")

RECEIVE_BYTES = 65_536
REQUEST_BYTES_MAX = 1 << 24

RESETS = {"refuse", "reset_before_headers", "reset_in_body", "reset_after_body"}


class Line:
    """One connection of a client: `read` and `write` in turn until there is no more."""

    def __init__(self, stream: End) -> None:
        self._stream = stream
        self._http = h11.Connection(h11.SERVER)

    async def read(self) -> Request | None:
        """Return the next request; None when the client is done or sent no HTTP."""
        if self._http.our_state is not h11.IDLE:
            if self._http.our_state is not h11.DONE:
                return None
            self._http.start_next_cycle()
        try:
            return await self._read_request()
        except (trio.BrokenResourceError, h11.RemoteProtocolError):
            return None

    async def write(self, reply: Reply) -> None:
        """Send the answer, or what its transport makes of it."""
        transport = reply.transport
        if transport is None:
            await self._send(self._head(reply) + self._body(reply))
        else:
            await self._break(reply, transport)

    async def attend(
        self, waiting: Callable[[*Ts], Awaitable[None]], *args: *Ts
    ) -> bool:
        """Wait for something; return False as soon as the client has left instead."""
        left = False

        async def watch() -> None:
            nonlocal left
            await self._stream.until_left()
            left = True
            nursery.cancel_scope.cancel()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(watch)
            await waiting(*args)
            # Who left in this very moment has left: a turn of the loop for the system
            # to report it, one for the watcher to wake.
            await trio.lowlevel.checkpoint()
            await trio.lowlevel.checkpoint()
            nursery.cancel_scope.cancel()
        return not left

    def hand_over(self) -> tuple[End, bytes]:
        """Return the stream for another protocol, and what the client already sent."""
        return self._stream, self._http.trailing_data[0]

    def reset_on_close(self) -> None:
        """Let closing send a reset in place of an ordinary end."""
        self._stream.reset_on_close()

    async def aclose(self) -> None:
        """Close; the client sees the end of the stream, or a reset."""
        await self._stream.aclose()

    async def _read_request(self) -> Request | None:
        head: h11.Request | None = None
        body = bytearray()
        while len(body) <= REQUEST_BYTES_MAX:
            event = self._http.next_event()
            if event is h11.NEED_DATA:
                self._http.receive_data(await self._stream.receive_some(RECEIVE_BYTES))
            elif isinstance(event, h11.Request):
                head = event
            elif isinstance(event, h11.Data):
                body += event.data
            elif isinstance(event, h11.EndOfMessage) and head is not None:
                return _request(head, bytes(body))
            else:
                return None
        return None

    async def _break(self, reply: Reply, transport: Transport) -> None:
        """Carry out a broken transport; `read` then finds the connection at its end."""
        half = reply.body[: len(reply.body) // 2]
        if transport.how in RESETS:
            self.reset_on_close()
        match transport.how:
            case "accept_and_close" | "refuse" | "reset_before_headers":
                pass
            case "reset_in_body" | "cut_body":
                await self._send(self._head(reply) + half)
            case "reset_after_body":
                await self._send(self._head(reply) + reply.body)
            case "wrong_length":
                await self._send(self._head(reply, length=len(half)) + reply.body)
            case "never_answer" | "headers_then_stall" | "trickle":
                await self._crawl(reply, transport)

    async def _crawl(self, reply: Reply, transport: Transport) -> None:
        """Carry out a transport that makes the client wait."""
        stall_s = math.inf if transport.for_ms is None else transport.for_ms / 1_000
        if transport.how == "trickle":
            await self._send(self._head(reply))
            await self._trickle(reply.body, transport.interval_ms / 1_000)
            return
        if transport.how == "headers_then_stall":
            await self._send(self._head(reply))
        if not await self.attend(trio.sleep, stall_s):
            return
        if transport.how == "never_answer":
            await self._send(self._head(reply))
        await self._send(self._body(reply))

    async def _trickle(self, body: bytes, interval_s: float) -> None:
        for at in range(len(body)):
            if not await self.attend(trio.sleep, interval_s):
                return
            await self._send(body[at : at + 1])

    def _head(self, reply: Reply, *, length: int | None = None) -> bytes:
        size = len(reply.body) if length is None else length
        headers = [*reply.headers, ("Content-Length", str(size))]
        head = h11.Response(status_code=reply.status, headers=headers)
        return self._http.send(head) or b""

    def _body(self, reply: Reply) -> bytes:
        body = self._http.send(h11.Data(data=reply.body)) or b""
        return body + (self._http.send(h11.EndOfMessage()) or b"")

    async def _send(self, data: bytes) -> None:
        await self._stream.send_all(data)


def _request(head: h11.Request, body: bytes) -> Request:
    headers = tuple(
        (name.decode("latin-1"), value.decode("latin-1"))
        for name, value in head.headers
    )
    return Request(head.method.decode(), head.target.decode("latin-1"), headers, body)
