"""getupdates: hold a poll, hand out messages, let one of several pollers have them.

In `cursor` mode a poll gets everything after the cursor it sent, so an answer that was
not recorded costs nothing. In `hand_out` mode a message is gone once handed out,
whatever became of the answer, as a live test saw it (S1).
"""

from msgspec.structs import replace

from holdfast.replay.world.weixin_cursor import decode_cursor, encode_cursor
from holdfast.replay.world.weixin_faults import NoHold, Withhold
from holdfast.replay.world.weixin_inbound import Message
from holdfast.replay.world.weixin_spoil import supplant
from holdfast.replay.world.weixin_state import Peer, Poll
from holdfast.replay.world.weixin_strike import next_cut_ms, strike_held, strike_inside
from holdfast.replay.world.weixin_wire import STALE, Call, Draft, Held


def begin_poll(peer: Peer, at_ms: int, call: Call) -> tuple[Peer, Draft | Held]:
    """Take a poll in and answer it if there is anything to answer."""
    peer, bent = strike_inside(peer, at_ms, call, "poll")
    no_hold = any(isinstance(armed.fault, NoHold) for armed in bent)
    withheld = [armed.fault for armed in bent if isinstance(armed.fault, Withhold)]
    poll = Poll(
        call=call,
        position=_position(peer, call),
        until_ms=at_ms + (0 if no_hold else peer.settings.hold_ms),
        withheld=bool(withheld),
        stolen=any(fault.stolen for fault in withheld),
    )
    others = peer.waiting
    if peer.settings.parallel == "evict":
        others = tuple(replace(other, evicted=True) for other in others)
    return settle_poll(replace(peer, waiting=(*others, poll)), at_ms, poll)


def settle_poll(peer: Peer, at_ms: int, poll: Poll) -> tuple[Peer, Draft | Held]:
    """Answer a held poll if its time has come; else say until when to hold it."""
    if poll.evicted:
        return leave(peer, poll.call.number), Draft(STALE)
    peer, cut = strike_held(peer, at_ms, poll.call)
    if cut is not None:
        return leave(peer, poll.call.number), supplant(cut, poll.call, at_ms)
    if poll.stolen and peer.gone < len(peer.inbound):
        peer = replace(peer, gone=len(peer.inbound))
    if _is_served(peer, poll):
        return _hand_out(peer, poll)
    if at_ms >= poll.until_ms:
        peer = leave(peer, poll.call.number)
        return peer, _answer(peer, (), max(_start(peer, poll), poll.position))
    cut_ms = next_cut_ms(peer, at_ms, poll.call)
    until_ms = poll.until_ms if cut_ms is None else min(poll.until_ms, cut_ms)
    return peer, Held(poll.call.number, until_ms)


def leave(peer: Peer, number: int) -> Peer:
    """Take a poll out of those that wait."""
    waiting = tuple(poll for poll in peer.waiting if poll.call.number != number)
    return replace(peer, waiting=waiting)


def _position(peer: Peer, call: Call) -> int:
    """Return where the request's cursor stands; a foreign one stands at the start."""
    cursor = call.fields.get("get_updates_buf")
    found = decode_cursor(cursor) if isinstance(cursor, str) and cursor else None
    if found is None or found[0] != peer.generation:
        return 0
    return min(found[1], len(peer.inbound))


def _start(peer: Peer, poll: Poll) -> int:
    """Return the position of the first message that this poll may get."""
    if peer.settings.consume == "hand_out":
        return peer.gone
    return max(poll.position, peer.gone)


def _is_served(peer: Peer, poll: Poll) -> bool:
    """Return whether there are messages and this is the one poll that gets them."""
    able = [
        other.call.number
        for other in peer.waiting
        if len(peer.inbound) > max(_start(peer, other), other.passed)
        and not (other.withheld or other.evicted)
    ]
    if not able:
        return False
    winner = able[-1] if peer.settings.parallel == "last" else able[0]
    return winner == poll.call.number


def _hand_out(peer: Peer, poll: Poll) -> tuple[Peer, Draft]:
    start = _start(peer, poll)
    size = peer.settings.batch_max
    end = len(peer.inbound) if size is None else min(start + size, len(peer.inbound))
    peer = leave(peer, poll.call.number)
    waiting = tuple(replace(other, passed=end) for other in peer.waiting)
    gone = end if peer.settings.consume == "hand_out" else peer.gone
    peer = replace(peer, waiting=waiting, gone=gone)
    return peer, _answer(peer, peer.inbound[start:end], end)


def _answer(peer: Peer, messages: tuple[Message, ...], position: int) -> Draft:
    """Return a poll's answer; like the real one it has no `ret` (section 5)."""
    fields = {
        "msgs": [message.wire for message in messages],
        "sync_buf": "",
        "get_updates_buf": encode_cursor(peer.generation, position),
    }
    hint_ms = peer.settings.hint_ms
    return Draft(
        fields if hint_ms is None else fields | {"longpolling_timeout_ms": hint_ms}
    )
