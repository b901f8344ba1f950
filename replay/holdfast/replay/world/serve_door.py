"""Where clients come in: a listening socket that can be shut, or what stands for one.

While a socket's door is shut, its port stays bound: nobody else can take it, and a
client that dials gets RST from the system, as from a host on which nothing runs.
"""

import socket
import struct
from abc import abstractmethod
from collections.abc import Awaitable, Callable
from typing import Protocol

import trio

HOST = "127.0.0.1"
BACKLOG = 1_024

# Linger on, for no time: closing the socket sends RST instead of FIN.
RESET = struct.pack("ii", 1, 0)


class End(trio.abc.Stream):
    """One connection as the simulated peer holds it."""

    @abstractmethod
    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """Return what came in; nothing at the end."""

    @abstractmethod
    def reset_on_close(self) -> None:
        """Let closing send a reset in place of an ordinary end."""

    @abstractmethod
    async def until_left(self) -> None:
        """Return when the client closed its side; bytes it sends early are no leave."""


Handler = Callable[[End], Awaitable[object]]


class Entrance(Protocol):
    """Where a peer is found: `bind` it, then `admit` clients, again after an outage."""

    @property
    def address(self) -> str:
        """Host and port, as they stand in an address."""
        ...

    async def bind(self) -> None:
        """Take the place without letting anybody in."""
        ...

    async def admit(
        self,
        handler: Handler,
        *,
        task_status: trio.TaskStatus[object] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Start the handler for each connection, until cancelled."""
        ...

    def close(self) -> None:
        """Give the place back; may be called again."""
        ...


class SocketEnd(End):
    """A connection through the system's sockets."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self._stream = stream

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Send it all."""
        await self._stream.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        """Wait until there may be room."""
        await self._stream.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """Return what came in; nothing at the end."""
        return bytes(await self._stream.receive_some(max_bytes))

    async def aclose(self) -> None:
        """Close."""
        await self._stream.aclose()

    def reset_on_close(self) -> None:
        """Let closing send RST."""
        self._stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)

    async def until_left(self) -> None:
        """Return when the client closed its side."""
        try:
            early = await self._stream.socket.recv(1, socket.MSG_PEEK)
        except OSError:
            return
        if early:
            await trio.sleep_forever()


class Door:
    """One port on loopback."""

    def __init__(self, port: int = 0) -> None:
        self.port = port
        self._socket: trio.socket.SocketType | None = None

    @property
    def address(self) -> str:
        """Host and port, once it is bound."""
        return f"{HOST}:{self.port}"

    async def bind(self) -> None:
        """Take the port, or for 0 one that the system chooses, without listening."""
        self._socket = trio.socket.socket()
        self._socket.setsockopt(trio.socket.SOL_SOCKET, trio.socket.SO_REUSEADDR, 1)
        await self._socket.bind((HOST, self.port))
        self.port = self._socket.getsockname()[1]

    def close(self) -> None:
        """Give the port back; may be called again."""
        if self._socket is not None:
            self._socket.close()

    async def admit(
        self,
        handler: Handler,
        *,
        task_status: trio.TaskStatus[object] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Listen, and start the handler for each connection, until cancelled."""
        assert self._socket is not None, "bind comes first"
        self._socket.listen(BACKLOG)

        async def take(stream: trio.SocketStream) -> None:
            await handler(SocketEnd(stream))

        async with trio.SocketListener(self._socket) as listener:
            await trio.serve_listeners(take, [listener], task_status=task_status)
