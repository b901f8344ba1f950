"""What a fault does to an answer."""

from typing import assert_never

from msgspec.structs import replace

from holdfast.replay.world.weixin_cursor import with_extra
from holdfast.replay.world.weixin_faults import (
    ClockJump,
    Code,
    Cursor,
    Fields,
    Freeze,
    Garbage,
    HttpStatus,
    Late,
    NoHold,
    Outage,
    Padding,
    Suppress,
    Wire,
    Withhold,
)
from holdfast.replay.world.weixin_state import Armed
from holdfast.replay.world.weixin_wire import Call, Draft
from holdfast.replay.world.wire import Json, Transport, encode

HUGE_CURSOR_BYTES = 100_000
HTML = b"<!doctype html><html><body>Service Unavailable</body></html>"


def supplant(armed: Armed, call: Call, at_ms: int) -> Draft:
    """Return the answer that a fault gives in place of the peer, which did nothing."""
    return replace(spoil(neutral(call), armed, call, at_ms), spoilt=True)


def neutral(call: Call) -> Draft:
    """Return the answer of a peer that has nothing to say about this call."""
    if call.endpoint != "getupdates":
        return Draft({"ret": 0})
    cursor = call.fields.get("get_updates_buf", "")
    return Draft({"msgs": [], "sync_buf": "", "get_updates_buf": cursor})


def spoil(draft: Draft, armed: Armed, call: Call, at_ms: int) -> Draft:
    """Return the draft as this fault leaves it."""
    fault = armed.fault
    match fault:
        case Code():
            draft = replace(draft, fields=_with_codes(draft, fault))
        case HttpStatus():
            draft = _with_status(draft, fault)
        case Garbage():
            draft = replace(draft, raw=_garbage(draft, fault))
        case Wire():
            broken = Transport(fault.how, fault.for_ms, fault.interval_ms)
            draft = replace(draft, transport=broken)
        case Fields():
            draft = replace(draft, fields=_bent(draft, fault))
        case Cursor():
            draft = replace(draft, fields=_with_cursor(draft, fault, call))
        case Padding():
            draft = replace(draft, padding=draft.padding + fault.bytes)
        case Late() | Freeze():
            draft = replace(draft, delay_ms=_delay_ms(draft, armed, call, at_ms))
        case Suppress() | NoHold() | Withhold() | Outage() | ClockJump():
            pass
        case _:
            assert_never(fault)
    return draft


def _with_codes(draft: Draft, fault: Code) -> Json:
    given = {
        "ret": fault.ret,
        "errcode": fault.errcode,
        "errmsg": fault.errmsg,
        "msg": fault.msg,
    }
    codes = {name: value for name, value in given.items() if value is not None}
    return draft.fields | codes if fault.acted else codes


def _with_status(draft: Draft, fault: HttpStatus) -> Draft:
    return replace(
        draft,
        status=fault.status,
        headers=(("Content-Type", "text/html"), *fault.headers.items()),
        raw=fault.body.encode(),
        delay_ms=draft.delay_ms + fault.after_ms,
    )


def _garbage(draft: Draft, fault: Garbage) -> bytes:
    """Return a body that is not what it should be (F6)."""
    true = encode(draft.fields)
    # Each key first with null, then with its value: who takes the last is right.
    nulls = encode(dict.fromkeys(draft.fields))
    bodies = {
        "html": HTML,
        "empty": b"",
        "object": b"{}",
        "null": b"null",
        "array": b"[" + true + b"]",
        "truncated": true[: len(true) // 2],
        "bom": b"\xef\xbb\xbf" + true,
        "duplicate_keys": nulls[:-1] + b"," + true[1:] if draft.fields else true,
    }
    return bodies[fault.kind]


def _bent(draft: Draft, fault: Fields) -> Json:
    bent = {name: draft.fields[name] for name in draft.fields if name not in fault.drop}
    for name in fault.stringify:
        if name in bent:
            bent[name] = str(bent[name])
    return bent | fault.set


def _with_cursor(draft: Draft, fault: Cursor, call: Call) -> Json:
    cursor = draft.fields.get("get_updates_buf")
    if not isinstance(cursor, str):
        return draft.fields
    match fault.kind:
        case "unchanged":
            cursor = call.fields.get("get_updates_buf", "")
        case "huge":
            # base64 makes four characters of three.
            cursor = with_extra(cursor, "x" * (HUGE_CURSOR_BYTES * 3 // 4))
        case "fresh":
            cursor = with_extra(cursor, str(call.number))
    return draft.fields | {"get_updates_buf": cursor}


def _delay_ms(draft: Draft, armed: Armed, call: Call, at_ms: int) -> int:
    match armed.fault:
        case Late(age_ms=int(age_ms)):
            return max(draft.delay_ms, call.at_ms + age_ms - at_ms)
        case Late(delay_ms=delay_ms):
            return draft.delay_ms + delay_ms
        case _:
            return max(draft.delay_ms, (armed.to_ms or at_ms) - at_ms)
