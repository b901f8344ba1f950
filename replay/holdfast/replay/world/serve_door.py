"""A listening socket that can be shut, so that connections are really refused.

While it is shut, the port stays bound: nobody else can take it, and a client that dials
gets RST from the system, as from a host on which nothing runs.
"""

from collections.abc import Awaitable, Callable

import trio

HOST = "127.0.0.1"
BACKLOG = 1_024


class Door:
    """One port on loopback: `bind` it, then `admit` until it is to be `shut`."""

    def __init__(self, port: int = 0) -> None:
        self.port = port
        self._socket: trio.socket.SocketType | None = None

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
        handler: Callable[[trio.SocketStream], Awaitable[object]],
        *,
        task_status: trio.TaskStatus[object] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Listen, and start the handler for each connection, until cancelled."""
        assert self._socket is not None, "bind comes first"
        self._socket.listen(BACKLOG)
        async with trio.SocketListener(self._socket) as listener:
            await trio.serve_listeners(handler, [listener], task_status=task_status)
