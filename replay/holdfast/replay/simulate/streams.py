"""Streams between two simulated machines: bytes that take time, stall, or get lost.

Within one connection the order stays, as TCP keeps it. What a packet loss does to TCP
is a delay; a lost end of a connection is one of which the other side never hears.
"""

import math
from collections import deque
from collections.abc import Callable

import trio

from holdfast.io.network import Link
from holdfast.replay.world.serve_door import End

Delay = Callable[[], float]
RECEIVE_BYTES = 65_536


class Flow:
    """One direction of a connection."""

    def __init__(self) -> None:
        # When they arrive, and what; nothing is the end.
        self._coming: deque[tuple[float, bytes]] = deque()
        self._last_s = 0.0
        self._reset_s = math.inf
        self._news = trio.Event()
        # Nothing gets through any more, and nobody is told.
        self.is_lost = False

    def put(self, data: bytes, delay_s: float) -> None:
        """Send bytes, or with none of them the end, on their way."""
        if self.is_lost:
            return
        self._last_s = max(self._last_s, trio.current_time() + delay_s)
        self._coming.append((self._last_s, data))
        self.wake()

    def reset(self, delay_s: float) -> None:
        """Send a reset on its way, which overtakes what it makes worthless."""
        if not self.is_lost:
            self._reset_s = min(self._reset_s, trio.current_time() + delay_s)
            self.wake()

    @property
    def is_reset(self) -> bool:
        """Whether a reset has arrived."""
        return self._reset_s <= trio.current_time()

    @property
    def is_readable(self) -> bool:
        """Whether reading would not wait."""
        here = bool(self._coming) and self._coming[0][0] <= trio.current_time()
        return here or self.is_reset

    @property
    def is_over(self) -> bool:
        """Whether the next thing to read is the end."""
        return self.is_reset or (self.is_readable and not self._coming[0][1])

    def take(self, max_bytes: int) -> bytes:
        """Return what is here; at the end nothing, again and again."""
        if self.is_reset:
            raise trio.BrokenResourceError("connection reset by peer")
        at_s, data = self._coming[0]
        if data:
            self._coming.popleft()
            if rest := data[max_bytes:]:
                self._coming.appendleft((at_s, rest))
        return data[:max_bytes]

    async def wait(self) -> None:
        """Wait until something may have arrived."""
        next_s = self._coming[0][0] if self._coming else math.inf
        next_s = min(next_s, self._reset_s)
        if next_s == math.inf:
            await self._news.wait()
            return
        with trio.move_on_at(next_s):
            await self._news.wait()

    def wake(self) -> None:
        """Let whoever waits look again."""
        news, self._news = self._news, trio.Event()
        news.set()


class Plug(Link, End):
    """One end of a connection; both clients and simulated peers hold one."""

    def __init__(self, incoming: Flow, outgoing: Flow, delay: Delay) -> None:
        self._incoming = incoming
        self._outgoing = outgoing
        self._delay = delay
        self._resets = False
        self._closed = False
        # Set when both ends are there.
        self.other: Plug
        # The next write gets half of its way, then the connection is reset.
        self.is_torn = False
        # How long the other side does not hear of the end, once this side closed.
        self.linger_s = 0.0

    @property
    def is_closed(self) -> bool:
        """Whether this end was given up."""
        return self._closed

    def is_readable(self) -> bool:
        """Say whether reading would not wait."""
        return self._incoming.is_readable

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Send bytes on their way; there is always room."""
        await trio.lowlevel.checkpoint()
        self._check()
        if self._incoming.is_reset:
            raise trio.BrokenResourceError("broken pipe")
        whole = bytes(data)
        if not whole:
            return
        if self.is_torn:
            self._outgoing.put(whole[: len(whole) // 2], self._delay())
            self.tear()
            raise trio.BrokenResourceError("connection reset while writing")
        if self.other.is_closed:
            self._incoming.reset(self._delay())
        else:
            self._outgoing.put(whole, self._delay())

    async def wait_send_all_might_not_block(self) -> None:
        """Return: there is always room."""
        await trio.lowlevel.checkpoint()
        self._check()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """Return what came in; nothing at the end."""
        await trio.lowlevel.checkpoint()
        while True:
            self._check()
            if self._incoming.is_readable:
                return self._incoming.take(max_bytes or RECEIVE_BYTES)
            await self._incoming.wait()

    async def until_left(self) -> None:
        """Return when the other side closed; bytes that it sends early are no leave."""
        while not self._incoming.is_readable:
            self._check()
            await self._incoming.wait()
        if not self._incoming.is_over:
            await trio.sleep_forever()

    def reset_on_close(self) -> None:
        """Let closing send a reset in place of an ordinary end."""
        self._resets = True

    def close(self) -> None:
        """Give this end up; the other side hears of it in its time."""
        if self._closed:
            return
        self._closed = True
        self._incoming.wake()
        if self._resets:
            self._outgoing.reset(self._delay())
        else:
            self._outgoing.put(b"", self._delay() + self.linger_s)

    async def aclose(self) -> None:
        """Close."""
        self.close()
        await trio.lowlevel.checkpoint()

    def tear(self) -> None:
        """Let both ends see a reset."""
        self._incoming.reset(0.0)
        self._outgoing.reset(self._delay())

    def go_silent(self) -> None:
        """Lose everything that goes out from here from now on."""
        self._outgoing.is_lost = True

    def _check(self) -> None:
        if self._closed:
            raise trio.ClosedResourceError("this end was closed")
