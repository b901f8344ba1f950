"""The network: hosts that can be dialled, a machine that dials, and the weather.

Connections do not know of each other: each has its own latency, so that answers on two
of them overtake each other.
"""

import errno
import random
import socket
from collections.abc import Callable, Iterator
from enum import StrEnum

import trio

from holdfast.io.network import Link
from holdfast.replay.simulate.streams import Flow, Plug
from holdfast.replay.world.serve_door import Handler

LATENCY_S = (0.002, 0.12)
JITTER_S = 0.01
# On a bad line so many of the writes get lost, and TCP takes so long to send again.
LOST = 0.2
RESEND_S = (0.2, 6.0)
# What a peer that is gone may leave open for others to see.
LINGER_S = (5.0, 600.0)


class Mood(StrEnum):
    """What the weather does to those who dial, and to what is under way."""

    FAIR = "fair"
    LOSSY = "lossy"  # Every few writes are held up until TCP sends them again.
    SLOW = "slow"  # All is late by seconds.
    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    NAMELESS = "nameless"  # No name can be resolved.
    SILENT = "silent"  # Who dials never hears anything.


class Blow(StrEnum):
    """What befalls the connections that are open at a moment."""

    RESET = "reset"
    TEAR = "tear"  # Each is reset amid its next write.
    HALF_OPEN = "half_open"  # Nothing gets through, and nobody is told.
    DEAF = "deaf"  # Nothing gets through from the peer.
    DUMB = "dumb"  # Nothing gets through to the peer.
    LINGER = "linger"  # The peer hears late that the client is gone.


class Internet:
    """All hosts, all connections, and the weather."""

    def __init__(self, seed: random.Random) -> None:
        self.mood = Mood.FAIR
        self._chance = seed
        self._hosts: dict[str, Host] = {}
        # {client's end: None}, in the order in which they were made.
        self._plugs: dict[Plug, None] = {}

    def host(self, address: str) -> "Host":
        """Return a host that can be dialled under this address, host and port."""
        host = self._hosts[address] = Host(address)
        return host

    def befall(self, blow: Blow) -> None:
        """Let something happen to every connection that is open now."""
        for plug in self.open_plugs():
            match blow:
                case Blow.RESET:
                    plug.tear()
                case Blow.TEAR:
                    self._chance.choice((plug, plug.other)).is_torn = True
                case Blow.HALF_OPEN:
                    plug.go_silent()
                    plug.other.go_silent()
                case Blow.DEAF:
                    plug.other.go_silent()
                case Blow.DUMB:
                    plug.go_silent()
                case Blow.LINGER:
                    plug.linger_s = self._chance.uniform(*LINGER_S)

    def open_plugs(self) -> Iterator[Plug]:
        """Yield the clients' ends of all connections that are open at either end."""
        gone = [it for it in self._plugs if it.is_closed and it.other.is_closed]
        for plug in gone:
            del self._plugs[plug]
        yield from [*self._plugs]

    async def dial(self, address: str) -> Plug:
        """Return the client's end of a new connection; OSError when there is none."""
        await trio.sleep(self._chance.uniform(*LATENCY_S))
        match self.mood:
            case Mood.SILENT:
                await trio.sleep_forever()
            case Mood.UNREACHABLE:
                raise OSError(errno.EHOSTUNREACH, "No route to host")
            case Mood.NAMELESS:
                raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure")
            case _:
                pass
        host = self._hosts.get(address)
        if host is None or not host.is_open or self.mood is Mood.REFUSED:
            raise ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused")
        here, there = self._connect()
        host.take(there)
        return here

    def _connect(self) -> tuple[Plug, Plug]:
        there_flow, back_flow = Flow(), Flow()
        delay = self._delay_of_one()
        here = Plug(back_flow, there_flow, delay)
        there = Plug(there_flow, back_flow, delay)
        here.other, there.other = there, here
        self._plugs[here] = None
        return here, there

    def _delay_of_one(self) -> Callable[[], float]:
        latency_s = self._chance.uniform(*LATENCY_S)

        def delay_s() -> float:
            extra_s = self._chance.random() * JITTER_S
            held_up = self.mood is Mood.LOSSY and self._chance.random() < LOST
            if held_up or self.mood is Mood.SLOW:
                extra_s += self._chance.uniform(*RESEND_S)
            return latency_s + extra_s

        return delay_s


class Host:
    """Where a simulated peer lives; its door, as `serve_door.Entrance` says."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._take: Callable[[Plug], None] | None = None

    @property
    def address(self) -> str:
        """Host and port."""
        return self._address

    @property
    def is_open(self) -> bool:
        """Whether anybody is let in."""
        return self._take is not None

    def take(self, plug: Plug) -> None:
        """Let one in."""
        assert self._take is not None, "nobody is let in"
        self._take(plug)

    async def bind(self) -> None:
        """Be there already."""
        await trio.lowlevel.checkpoint()

    def close(self) -> None:
        """Let nobody in any more."""
        self._take = None

    async def admit(
        self,
        handler: Handler,
        *,
        task_status: trio.TaskStatus[object] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Start the handler for each connection, until cancelled."""
        async with trio.open_nursery() as nursery:
            self._take = lambda plug: nursery.start_soon(handler, plug)
            task_status.started()
            try:
                await trio.sleep_forever()
            finally:
                self._take = None


class Machine:
    """The machine on which one life of the service runs: its network, until it dies."""

    def __init__(self, internet: Internet) -> None:
        self._internet = internet
        self._plugs: dict[Plug, None] = {}
        self._is_dead = False

    async def connect(self, host: str, port: int) -> Link:
        """Return an open link."""
        plug = await self._internet.dial(f"{host}:{port}")
        self._plugs[plug] = None
        if self._is_dead:
            self._abandon(plug, silently=False)
        return plug

    def die(self, *, silently: bool) -> None:
        """Give up every connection at once; silently: the peer is told nothing."""
        self._is_dead = True
        for plug in self._plugs:
            self._abandon(plug, silently=silently)

    def _abandon(self, plug: Plug, *, silently: bool) -> None:
        if silently:
            plug.go_silent()
        plug.close()
