"""The calls over HTTP, and how faults bend their answers (sections 2, 3 and 9)."""

from collections.abc import Callable, Mapping
from typing import TypeAlias

from msgspec.structs import replace

from holdfast.replay.world.qq_book import check_token, get_gateway, get_token
from holdfast.replay.world.qq_faults import Answer, Outage
from holdfast.replay.world.qq_sends import answer_interaction, recall, send
from holdfast.replay.world.qq_state import Armed, Logged, Peer, make, write
from holdfast.replay.world.qq_strike import strike, strike_first
from holdfast.replay.world.qq_wire import (
    SEND_SCENES,
    Call,
    Draft,
    Endpoint,
    read_call,
    refusal,
    stamp,
)
from holdfast.replay.world.wire import Reply, Request, Transport

Handler: TypeAlias = Callable[[Peer, int, Call], tuple[Peer, Draft]]

HEADERS_LOGGED = frozenset({"authorization", "content-type", "x-union-appid"})
ANSWER_LOGGED_BYTES = 4_096


def reply_to(peer: Peer, at_ms: int, request: Request) -> tuple[Peer, Reply]:
    """Answer a request, and write it into the diary."""
    peer, call = _count(peer, at_ms, request)
    peer, fault = _struck_first(peer, at_ms, call)
    struck: tuple[Answer, ...] = (fault,) if fault else ()
    draft = Draft()
    if fault is None:
        peer, draft = _answer(peer, at_ms, call)
        peer, struck = strike(
            peer, at_ms, Answer, lambda one: one.acted and _concerns(one, call)
        )
    return _conclude(peer, at_ms, call, draft, struck)


def greet(peer: Peer, at_ms: int, request: Request) -> tuple[Peer, Reply | None]:
    """Return the answer that refuses a WebSocket handshake; None: it is granted."""
    peer, call = _count(peer, at_ms, request)
    call = replace(call, endpoint="websocket")
    peer, fault = _struck_first(peer, at_ms, call)
    if fault is None:
        return peer, None
    return _conclude(peer, at_ms, call, Draft(), (fault,))


def _count(peer: Peer, at_ms: int, request: Request) -> tuple[Peer, Call]:
    number = peer.counts.requests + 1
    peer = replace(peer, counts=replace(peer.counts, requests=number))
    return peer, read_call(request, number=number, at_ms=at_ms)


def _struck_first(peer: Peer, at_ms: int, call: Call) -> tuple[Peer, Answer | None]:
    return strike_first(
        peer, at_ms, Answer, lambda one: not one.acted and _concerns(one, call)
    )


def _concerns(fault: Answer, call: Call) -> bool:
    sends = fault.at == "send" and call.endpoint in SEND_SCENES
    here = sends or fault.at in {"all", call.endpoint}
    return here and fault.chat in {None, call.chat}


def _answer(peer: Peer, at_ms: int, call: Call) -> tuple[Peer, Draft]:
    """Do what was asked."""
    if call.endpoint is None or call.endpoint == "websocket":
        words = f"{call.method} {call.path} is no call of this platform"
        return peer, refusal(call.number, None, status=404, words=words)
    refused = None
    if call.endpoint != "token":
        refused = check_token(peer, at_ms, call, call.number)
    if refused is not None:
        return peer, refused
    return HANDLERS[call.endpoint](peer, at_ms, call)


def _get_me(peer: Peer, _at_ms: int, _call: Call) -> tuple[Peer, Draft]:
    names = {"id": peer.settings.bot_id, "username": "demo", "avatar": ""}
    return peer, Draft(names)


def _open_dm(peer: Peer, at_ms: int, _call: Call) -> tuple[Peer, Draft]:
    peer, made = make(peer)
    ids = {"guild_id": f"991{made:014}", "channel_id": f"20{made:04}"}
    return peer, Draft(ids | {"create_time": stamp(at_ms)})


HANDLERS: Mapping[Endpoint, Handler] = {
    "token": get_token,
    "gateway": get_gateway,
    "gateway_bot": get_gateway,
    "me": _get_me,
    "dms": _open_dm,
    "c2c": send,
    "group": send,
    "channel": send,
    "dm": send,
    "recall": recall,
    "interaction": answer_interaction,
}


def _conclude(
    peer: Peer, at_ms: int, call: Call, draft: Draft, struck: tuple[Answer, ...]
) -> tuple[Peer, Reply]:
    """Bend the answer and make its bytes."""
    for fault in struck:
        draft = _bend(draft, fault, call)
        if fault.wire == "refuse":
            outage = Outage(to_ms=fault.for_ms)
            peer = replace(peer, armed=(*peer.armed, Armed(outage, at_ms)))
    delay_ms = max(draft.delay_ms, peer.frozen_ms - at_ms)
    reply = replace(draft, delay_ms=delay_ms).reply(call.number)
    if peer.settings.log_max:
        peer = write(peer, _line(at_ms, call, reply, struck))
    return peer, reply


def _line(at_ms: int, call: Call, reply: Reply, struck: tuple[Answer, ...]) -> Logged:
    headers = {k: v for k, v in call.headers.items() if k in HEADERS_LOGGED}
    return Logged(
        at_ms,
        "request",
        name=call.endpoint or call.path,
        target=call.chat or call.item,
        body=call.body,
        status=reply.status,
        answer=reply.body[:ANSWER_LOGGED_BYTES].decode(errors="replace"),
        headers=headers,
        transport=reply.transport.how if reply.transport else "",
        faults=tuple(str(fault.__struct_config__.tag) for fault in struck),
    )


def _bend(draft: Draft, fault: Answer, call: Call) -> Draft:
    """Return the draft as this fault leaves it."""
    if fault.code is not None and call.endpoint == "token":
        # Here the status stays 200 (section 2).
        draft = Draft({"code": fault.code, "message": fault.message})
    elif fault.code is not None:
        other, words = fault.err_code, fault.message
        draft = refusal(call.number, fault.code, err_code=other, words=words)
    fields = {k: v for k, v in draft.fields.items() if k not in fault.drop}
    draft = replace(draft, fields=fields | fault.set)
    if fault.body is not None:
        html = ("Content-Type", "text/html")
        draft = replace(draft, raw=fault.body.encode(), headers=(html,))
    if fault.wire is not None:
        broken = Transport(fault.wire, fault.for_ms, fault.interval_ms)
        draft = replace(draft, transport=broken)
    return replace(
        draft,
        status=draft.status if fault.status is None else fault.status,
        headers=(*draft.headers, *fault.headers.items()),
        delay_ms=draft.delay_ms + fault.delay_ms,
    )
