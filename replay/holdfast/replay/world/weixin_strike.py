"""Which armed faults strike a call, and when the next one wants attention.

At arrival a fault takes the place of the answer; in a poll or a send it bends what the
peer does; at the answer it spoils what the peer says. Some need no call, only a clock.
"""

from collections.abc import Callable, Iterable
from typing import Literal, TypeAlias

from msgspec.structs import replace

from holdfast.replay.world.weixin_faults import (
    AnyFault,
    Breaking,
    ClockJump,
    NoHold,
    Outage,
    Suppress,
    Withhold,
)
from holdfast.replay.world.weixin_state import Armed, Peer, chat_of, entry_of, note
from holdfast.replay.world.weixin_wire import Call
from holdfast.replay.world.wire import Json

Moment: TypeAlias = Literal["arrival", "poll", "send", "answer", "clock"]


def moment_of(fault: AnyFault) -> Moment:
    """Return when this fault strikes."""
    match fault:
        case Breaking():
            return "answer" if fault.acted else "arrival"
        case NoHold() | Withhold():
            return "poll"
        case Suppress():
            return "send"
        case Outage() | ClockJump():
            return "clock"
        case _:
            return "answer"


def strike_arrival(peer: Peer, at_ms: int, call: Call) -> tuple[Peer, Armed | None]:
    """Return the first fault that takes the answer's place; None: all goes well."""
    peer, struck = _strike(
        peer, at_ms, call, lambda armed: moment_of(armed.fault) == "arrival", first=True
    )
    return peer, struck[0] if struck else None


def strike_held(peer: Peer, at_ms: int, call: Call) -> tuple[Peer, Armed | None]:
    """Return the fault that began while this poll was held and ends it (F1)."""
    peer, struck = _strike(
        peer, at_ms, call, lambda armed: _cuts(armed, call), first=True
    )
    return peer, struck[0] if struck else None


def strike_inside(
    peer: Peer, at_ms: int, call: Call, moment: Moment
) -> tuple[Peer, tuple[Armed, ...]]:
    """Return the faults that bend what the peer does about this call."""
    return _strike(peer, at_ms, call, lambda armed: moment_of(armed.fault) == moment)


def strike_answer(
    peer: Peer, at_ms: int, call: Call, fields: Json
) -> tuple[Peer, tuple[Armed, ...]]:
    """Return the faults that spoil this answer, in the order they were armed."""

    def spoils(armed: Armed) -> bool:
        empty = armed.fault.carrying and not fields.get("msgs")
        return moment_of(armed.fault) == "answer" and not empty

    return _strike(peer, at_ms, call, spoils)


def next_cut_ms(peer: Peer, at_ms: int, call: Call) -> int | None:
    """Return when a fault will end this held poll; None: none will."""
    starts = [armed.from_ms for armed in peer.armed if _cuts(armed, call)]
    return min((start for start in starts if start > at_ms), default=None)


def is_listening(peer: Peer, at_ms: int) -> bool:
    """Return whether the peer takes connections now."""
    return not any(
        isinstance(armed.fault, Outage) and armed.is_live(at_ms) for armed in peer.armed
    )


def edges_ms(armed: Iterable[Armed]) -> list[int]:
    """Return when these faults begin and end."""
    found = list(armed)
    ends = [fault.to_ms for fault in found if fault.to_ms is not None]
    return [fault.from_ms for fault in found] + ends


def _cuts(armed: Armed, call: Call) -> bool:
    fault = armed.fault
    if not isinstance(fault, Breaking) or not fault.cuts_hold:
        return False
    cuts = not fault.acted and not fault.skip
    return cuts and (armed.from_ms > call.at_ms or armed.calls >= call.number)


def _strike(
    peer: Peer,
    at_ms: int,
    call: Call,
    concerns: Callable[[Armed], bool],
    *,
    first: bool = False,
) -> tuple[Peer, tuple[Armed, ...]]:
    """Count the call at every fault it concerns; return those whose turn it is.

    With `first`, faults after the one that strikes do not get to see the call.
    """
    struck: list[Armed] = []
    counted: list[Armed] = []
    for armed in peer.armed:
        after = armed
        wanted = concerns(armed) and not (first and struck)
        if wanted and armed.is_live(at_ms) and _matches(peer, armed, call):
            after = _count(armed)
            if after.struck > armed.struck:
                struck.append(after)
        counted.append(after)
    if tuple(counted) == peer.armed:
        return peer, ()
    peer = replace(peer, armed=tuple(counted))
    if not struck:
        return peer, ()
    entry = entry_of(peer, call.number)
    known = entry.faults if entry else ()
    types = tuple(_tag(armed.fault) for armed in struck)
    return note(peer, call.number, faults=known + types), tuple(struck)


def _matches(peer: Peer, armed: Armed, call: Call) -> bool:
    fault = armed.fault
    here = fault.at in {"all", call.endpoint}
    whose = fault.user is None or fault.user == call.user
    return here and whose and _matches_context(peer, armed, call)


def _matches_context(peer: Peer, armed: Armed, call: Call) -> bool:
    token = call.context_token
    match armed.fault.context:
        case "any":
            return True
        case "absent":
            return not token
        case "present":
            return bool(token)
        case "old":
            return bool(token) and _is_old(peer, armed, call)


def _is_old(peer: Peer, armed: Armed, call: Call) -> bool:
    issue = chat_of(peer, call.user).issued.get(call.context_token)
    if issue is None:
        return True
    return issue.at_ms < armed.from_ms or issue.made <= armed.made


def _count(armed: Armed) -> Armed:
    """Count one call, and one strike when it is this call's turn."""
    seen, struck = armed.turn()
    return replace(armed, seen=seen, struck=struck)


def _tag(fault: AnyFault) -> str:
    return str(fault.__struct_config__.tag)
