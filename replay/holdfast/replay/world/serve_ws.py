"""A WebSocket connection of the simulated platform, and all the ways it can end.

Framing is done by the sans-I/O protocol of `websockets`, which answers pings and close
frames; the stream stays in our hands, for ends that no well-behaved server has.
"""

from contextlib import suppress

import trio
from websockets.frames import Frame as WireFrame
from websockets.frames import Opcode
from websockets.http11 import Request as Handshake
from websockets.protocol import State
from websockets.server import ServerProtocol

from holdfast.replay.world.qq_wire import (
    NO_CODE,
    Close,
    Cut,
    Frame,
    Heard,
    Left,
    Mute,
    Out,
    Ping,
    Pong,
    Text,
)
from holdfast.replay.world.serve_http import Line
from holdfast.replay.world.wire import Request

RECEIVE_BYTES = 65_536
SWITCHING = 101
CLOSE_S = 10  # How long a client may take to answer a close frame.


def wants_websocket(request: Request) -> bool:
    """Return whether the client asks for a WebSocket connection."""
    given = {name.lower(): value.lower() for name, value in request.headers}
    return given.get("upgrade") == "websocket"


class Tube:
    """One WebSocket connection: `accept`, then a task to `receive`, one to `write`."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._stream, self._early = line.hand_over()
        self._protocol = ServerProtocol(max_size=None)
        self._text = b""
        self.muted = False

    async def accept(self, request: Request) -> bool:
        """Answer the handshake; return False when it was none."""
        self._protocol.receive_data(_head(request))
        (handshake,) = self._protocol.events_received()
        assert isinstance(handshake, Handshake), "h11 has read it before"
        response = self._protocol.accept(handshake)
        self._protocol.send_response(response)
        with suppress(trio.BrokenResourceError):
            await self._flush()
        return response.status_code == SWITCHING

    async def receive(self) -> bytes:
        """Return what the client sent; nothing at its end."""
        if early := self._early:
            self._early = b""
            return early
        try:
            return await self._stream.receive_some(RECEIVE_BYTES)
        except trio.BrokenResourceError:
            return b""

    def take(self, data: bytes) -> list[Heard]:
        """Read what `receive` returned; the last one is `Left` when it was the end."""
        if not data:
            return [Left()]
        if self.muted:
            return []
        self._protocol.receive_data(data)
        heard: list[Heard] = []
        for event in self._protocol.events_received():
            assert isinstance(event, WireFrame), "the handshake is over"
            heard += self._frame(event)
        if self._protocol.parser_exc is not None:
            heard.append(Left())
        return heard

    async def write(self, out: Out) -> bool:
        """Do what the platform does; return False when nothing more can be done.

        After a close frame, wait for the client's answer to it.
        """
        if self.muted:
            return True
        try:
            await self._write(out)
        except trio.BrokenResourceError:
            return False
        return not isinstance(out, Cut)

    async def finish(self) -> None:
        """Send what the protocol still has to say, as the answer to a close frame."""
        if not self.muted:
            with suppress(trio.BrokenResourceError):
                await self._flush()

    async def _write(self, out: Out) -> None:
        match out:
            case Frame():
                await self._send(out)
            case Pong():
                await self._flush()
            case Mute():
                self.muted = True
            case Close():
                await self._close(out)
            case Cut():
                await self._cut(out)
                self.muted = True

    def _frame(self, event: WireFrame) -> list[Heard]:
        match event.opcode:
            case Opcode.TEXT | Opcode.BINARY | Opcode.CONT:
                self._text += event.data
                if not event.fin:
                    return []
                text, self._text = self._text.decode(errors="replace"), b""
                return [Text(text)]
            case Opcode.PING:
                return [Ping(bytes(event.data))]
            case Opcode.CLOSE:
                close = self._protocol.close_rcvd
                assert close is not None, "the protocol has read the frame"
                return [Left(int(close.code), close.reason)]
            case _:
                return []

    async def _send(self, out: Frame) -> None:
        if self._protocol.state is not State.OPEN:
            return
        self._protocol.send_text(out.text.encode())
        if not out.byte_ms:
            await self._flush()
            return
        for byte in b"".join(self._protocol.data_to_send()):
            await self._stream.send_all(bytes([byte]))
            await trio.sleep(out.byte_ms / 1_000)

    async def _close(self, out: Close) -> None:
        """Send the close frame, unless it answers the client's: then it is queued."""
        if self._protocol.state is State.OPEN:
            code = None if out.code == NO_CODE else out.code
            self._protocol.send_close(code, "" if code is None else out.reason)
        await self._flush()

    async def _cut(self, out: Cut) -> None:
        if out.torn and self._protocol.state is State.OPEN:
            self._protocol.send_text(out.torn.encode())
            data = b"".join(self._protocol.data_to_send())
            await self._stream.send_all(data[: len(data) // 2])
        if out.reset:
            self._line.reset_on_close()

    async def _flush(self) -> None:
        data = b"".join(self._protocol.data_to_send())
        if data:
            await self._stream.send_all(data)


def _head(request: Request) -> bytes:
    """Return the bytes of the handshake, once more."""
    lines = [f"{request.method} {request.path} HTTP/1.1"]
    lines += [f"{name}: {value}" for name, value in request.headers]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")
