"""The simulated Weixin (iLink) peer: a pure model of the bot API.

No clock, no randomness, no I/O: the caller says what time it is and carries out what
comes back. The same model serves virtual time, real sockets (`serve.py`) and
exploration.

    peer = new_peer(at_ms=0)
    peer, outcome = answer(peer, 0, request)
    while isinstance(outcome, Held):        # when something was said, or at until_ms
        peer, outcome = resume(peer, at_ms, outcome)
    # outcome is a Reply: send it, the way its `transport` says

Between calls, move time on with `tick` at `wake_ms`; `answer` and `resume` do it as
well. Every `at_ms` is absolute, in milliseconds on the caller's clock.
"""

from collections.abc import Callable, Mapping
from typing import TypeAlias

from msgspec.structs import replace

from holdfast.replay.world.weixin_control import (
    arm,
    bind_elsewhere,
    expire_context,
    heal,
    load,
    new_peer,
    rebind,
    repeat,
    say,
    tick,
    wake_ms,
)
from holdfast.replay.world.weixin_faults import Outage
from holdfast.replay.world.weixin_polls import begin_poll, leave, settle_poll
from holdfast.replay.world.weixin_sends import send
from holdfast.replay.world.weixin_spoil import spoil, supplant
from holdfast.replay.world.weixin_state import Logged, Peer, entry_of, note
from holdfast.replay.world.weixin_strict import breaches, turn_away
from holdfast.replay.world.weixin_strike import (
    is_listening,
    strike_answer,
    strike_arrival,
)
from holdfast.replay.world.weixin_typing import get_config, notify, send_typing
from holdfast.replay.world.weixin_wire import (
    Call,
    Draft,
    Endpoint,
    Held,
    read_call,
)
from holdfast.replay.world.wire import Reply, Request, Transport

__all__ = [
    "abandon",
    "answer",
    "arm",
    "bind_elsewhere",
    "expire_context",
    "heal",
    "is_listening",
    "load",
    "new_peer",
    "rebind",
    "repeat",
    "resume",
    "say",
    "tick",
    "wake_ms",
]

Handler: TypeAlias = Callable[[Peer, int, Call], tuple[Peer, Draft | Held]]

HANDLERS: Mapping[Endpoint, Handler] = {
    "getupdates": begin_poll,
    "sendmessage": send,
    "getconfig": get_config,
    "sendtyping": send_typing,
    "notifystart": notify,
    "notifystop": notify,
}

# What of a request's headers the diary keeps.
HEADERS_LOGGED = frozenset(
    {
        "authorization",
        "authorizationtype",
        "content-type",
        "ilink-app-clientversion",
        "ilink-app-id",
        "skroutetag",
        "x-wechat-uin",
    }
)
ANSWER_LOGGED_BYTES = 4_096


def answer(peer: Peer, at_ms: int, request: Request) -> tuple[Peer, Reply | Held]:
    """Answer a request, or hold it: then call `resume` with what comes back."""
    peer = tick(peer, at_ms)
    call = read_call(request, number=peer.calls + 1, at_ms=at_ms)
    found = breaches(peer, call)
    peer = replace(peer, violations=peer.violations + found)
    peer = _log(peer, call)
    peer, broken = strike_arrival(peer, at_ms, call)
    if broken is not None:
        return _conclude(peer, at_ms, call, supplant(broken, call, at_ms))
    refused = turn_away(peer, call, found)
    if refused is not None or call.endpoint is None:
        return _conclude(peer, at_ms, call, refused or Draft())
    peer, outcome = HANDLERS[call.endpoint](peer, at_ms, call)
    return _conclude(peer, at_ms, call, outcome)


def resume(peer: Peer, at_ms: int, held: Held) -> tuple[Peer, Reply | Held]:
    """Ask again about a held poll; a poll that the peer lost is cut off."""
    peer = tick(peer, at_ms)
    waiting = [poll for poll in peer.waiting if poll.call.number == held.number]
    if not waiting:
        return peer, Reply(transport=Transport("reset_before_headers"))
    poll = waiting[0]
    peer, outcome = settle_poll(peer, at_ms, poll)
    return _conclude(peer, at_ms, poll.call, outcome)


def abandon(peer: Peer, at_ms: int, number: int) -> Peer:
    """Take note that the client of this call left before the answer was written."""
    entry = entry_of(peer, number)
    if entry is not None and entry.outcome != "cut":
        peer = note(peer, number, outcome="abandoned", answered_ms=at_ms)
    return leave(peer, number)


def _conclude(
    peer: Peer, at_ms: int, call: Call, outcome: Draft | Held
) -> tuple[Peer, Reply | Held]:
    """Let the faults at the answer do their work, and write the diary."""
    if isinstance(outcome, Held):
        return peer, outcome
    draft = outcome
    if not draft.spoilt:
        peer, struck = strike_answer(peer, at_ms, call, draft.fields)
        for armed in struck:
            draft = spoil(draft, armed, call, at_ms)
    peer = _close_door(peer, at_ms, draft.transport)
    reply = draft.reply()
    peer = note(
        peer,
        call.number,
        outcome="broken" if reply.transport else "answered",
        answered_ms=at_ms + reply.delay_ms,
        status=reply.status,
        answer=reply.body[:ANSWER_LOGGED_BYTES],
        transport=reply.transport.how if reply.transport else None,
    )
    return peer, reply


def _close_door(peer: Peer, at_ms: int, transport: Transport | None) -> Peer:
    """Stop listening when the answer is that nobody listens (F7)."""
    if transport is None or transport.how != "refuse":
        return peer
    return arm(peer, at_ms, Outage(to_ms=transport.for_ms))


def _log(peer: Peer, call: Call) -> Peer:
    headers = {
        name: value for name, value in call.headers.items() if name in HEADERS_LOGGED
    }
    endpoint = call.endpoint or call.path
    entry = Logged(call.number, call.at_ms, endpoint, headers, call.body)
    log_max = peer.settings.log_max
    log = (*peer.log, entry)[-log_max:] if log_max else ()
    return replace(peer, calls=call.number, log=log)
