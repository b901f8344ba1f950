"""Which armed faults strike an occasion, and when the next one wants attention."""

from collections.abc import Callable, Iterator
from typing import TypeVar

from msgspec.structs import replace

from holdfast.replay.world.faults import Timed
from holdfast.replay.world.qq_faults import (
    Closing,
    Freeze,
    Noise,
    OnSocket,
    Outage,
    Quota,
    Silence,
    Token,
)
from holdfast.replay.world.qq_state import Armed, Peer

F = TypeVar("F", bound=Timed)

ON_SOCKET = (Closing, Silence, Noise)
BY_CLOCK = (Outage, Freeze, Quota, Token)


def strike(
    peer: Peer,
    at_ms: int,
    kind: type[F],
    concerns: Callable[[F], bool] = lambda _: True,
    *,
    first: bool = False,
) -> tuple[Peer, tuple[F, ...]]:
    """Count an occasion at every live fault of this kind; return those that strike.

    With `first`, faults after the one that strikes do not get to see the occasion.
    """
    if not peer.armed:
        return peer, ()
    struck: list[F] = []
    counted: list[Armed] = []
    for armed in peer.armed:
        fault, after = armed.fault, armed
        wanted = armed.is_live(at_ms) and not (first and struck)
        if wanted and isinstance(fault, kind) and concerns(fault):
            after = count(armed)
            if after.struck > armed.struck:
                struck.append(fault)
        counted.append(after)
    return replace(peer, armed=tuple(counted)), tuple(struck)


def strike_first(
    peer: Peer,
    at_ms: int,
    kind: type[F],
    concerns: Callable[[F], bool] = lambda _: True,
) -> tuple[Peer, F | None]:
    """Return the first fault of this kind that strikes; None: all goes well."""
    peer, struck = strike(peer, at_ms, kind, concerns, first=True)
    return peer, struck[0] if struck else None


def count(armed: Armed) -> Armed:
    """Count one occasion, and one strike when it is its turn."""
    seen, struck = armed.turn()
    return replace(armed, seen=seen, struck=struck)


def is_listening(peer: Peer, at_ms: int) -> bool:
    """Return whether the platform takes connections now."""
    return not any(
        isinstance(armed.fault, Outage) and armed.is_live(at_ms) for armed in peer.armed
    )


def beginnings(peer: Peer) -> Iterator[tuple[int, int]]:
    """Return when faults of the clock begin that have not, by their place."""
    for index, armed in enumerate(peer.armed):
        fault = armed.fault
        lasting = isinstance(fault, Token) and fault.kind == "sticky"
        if isinstance(fault, BY_CLOCK) and not armed.struck and not lasting:
            yield armed.from_ms, index


def endings(peer: Peer, at_ms: int) -> Iterator[int]:
    """Return when outages end, which opens the door."""
    for armed in peer.armed:
        to_ms = armed.to_ms
        if isinstance(armed.fault, Outage) and to_ms is not None and to_ms > at_ms:
            yield to_ms


def befallings(peer: Peer) -> Iterator[tuple[int, int, int]]:
    """Return when which fault looks at which running socket: time, place, socket."""
    for index, armed in enumerate(peer.armed):
        fault = armed.fault
        if not isinstance(fault, ON_SOCKET) or is_spent(armed):
            continue
        for due_ms, number in _running(peer, armed, fault):
            if armed.to_ms is None or due_ms < armed.to_ms:
                yield due_ms, index, number


def is_spent(armed: Armed) -> bool:
    """Return whether the fault has struck as often as it may."""
    return armed.fault.count is not None and armed.struck >= armed.fault.count


def _running(peer: Peer, armed: Armed, fault: OnSocket) -> Iterator[tuple[int, int]]:
    for socket in peer.sockets.values():
        seen = socket.mute or socket.leaving or socket.number in armed.sockets
        if not seen and socket.ready_ms is not None:
            yield max(armed.from_ms, socket.ready_ms + fault.up_ms), socket.number
