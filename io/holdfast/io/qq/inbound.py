"""Inbound frames of QQ: from the socket to facts, and from the vault to the host.

A message or event is kept in the vault exactly as it came, `auth_token` in its scene
included, which therefore stands nowhere else. A dispatch of a strange shape is a fact
like any other, because it was handed out only once.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from msgspec import Raw

from holdfast.core.events import MessageReceived
from holdfast.core.qq_events import (
    DispatchReceived,
    FrameUnread,
    GatewayEvent,
    HeartbeatAcked,
    HeartbeatAsked,
    HelloReceived,
    ReadyReceived,
    ReconnectAsked,
    ResumedReceived,
    SessionInvalidated,
)
from holdfast.io.draft import Draft
from holdfast.io.journal_rows import Kept
from holdfast.io.opening import (
    ERRMSG_MAX,
    Fields,
    fields_of,
    id_of,
    inner_of,
    int_of,
    list_of,
    text_of,
    text_of_any,
)
from holdfast.io.qq import wire
from holdfast.io.qq.wire import Frame
from holdfast.io.reading import Reading
from holdfast.io.vault import BODY, CONTEXT, SESSION, Vault

C2C, GROUP, GUILD, DM = "c2c", "group", "guild", "dm"
# {t of a message: the kind of target that answers it (8.2)}
MESSAGES = {
    "C2C_MESSAGE_CREATE": C2C,
    "GROUP_AT_MESSAGE_CREATE": GROUP,
    "GROUP_MESSAGE_CREATE": GROUP,
    "AT_MESSAGE_CREATE": GUILD,
    "MESSAGE_CREATE": GUILD,
    "DIRECT_MESSAGE_CREATE": DM,
}
# {kind of target: the fields that may name it, the first that is there wins}
NAMED_BY = {
    C2C: ("user_openid", "openid"),
    GROUP: ("group_openid", "group_id"),
    GUILD: ("channel_id",),
    DM: ("guild_id",),
}
# {t of an event about a target: its kind, and whether it may be answered (8.3, 10)}
CONTACTS = {
    "FRIEND_ADD": (C2C, True),
    "FRIEND_DEL": (C2C, False),
    "C2C_MSG_RECEIVE": (C2C, True),
    "C2C_MSG_REJECT": (C2C, False),
    "GROUP_ADD_ROBOT": (GROUP, True),
    "GROUP_DEL_ROBOT": (GROUP, False),
    "GROUP_MSG_RECEIVE": (GROUP, True),
    "GROUP_MSG_REJECT": (GROUP, False),
}
# {op without a body that says anything: its fact}
BARE: Mapping[int | None, Callable[[int], GatewayEvent]] = {
    wire.HEARTBEAT: HeartbeatAsked,
    wire.HEARTBEAT_ACK: HeartbeatAcked,
    wire.RECONNECT: ReconnectAsked,
}
INTERACTION = "INTERACTION_CREATE"
SCENES = {"c2c": C2C, "group": GROUP, "guild": GUILD}
CHAT_TYPES: Mapping[int | None, str] = {0: GUILD, 1: GROUP, 2: C2C}
KINDS = {"image": "image", "video": "video", "voice": "voice", "audio": "voice"}
QUOTE = 103
# Later moments are milliseconds that somebody wrote into a field of seconds.
SECONDS_MAX = 100_000_000_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def receive(frame: Frame, epoch: int, vault: Vault) -> Draft:
    """Make the fact of one frame, and what must be kept with it."""
    match frame.op:
        case wire.DISPATCH:
            return _dispatch(frame, epoch, vault)
        case wire.HELLO:
            fields = _fields(frame)
            return _only(HelloReceived(epoch, int_of(fields, "heartbeat_interval")))
        case op if op in BARE:
            return _only(BARE[op](epoch))
        case wire.INVALID_SESSION:
            said = {b"true": True, b"false": False}.get(bytes(frame.d or b""))
            return _only(SessionInvalidated(epoch, said))
        case _:
            body = vault.seal(BODY, frame.raw)
            why = frame.malformed[:ERRMSG_MAX]
            return Draft((FrameUnread(epoch, frame.op, why, body.handle),), (body,))


def _only(event: GatewayEvent) -> Draft:
    return Draft((event,))


def _fields(frame: Frame) -> Fields:
    return fields_of(frame.d) if frame.d is not None else {}


def _dispatch(frame: Frame, epoch: int, vault: Vault) -> Draft:
    match frame.t:
        case "READY":
            return _ready(frame, epoch, vault)
        case "RESUMED":
            return _only(ResumedReceived(epoch, frame.s))
        case name if name in MESSAGES and frame.d is not None and _fields(frame):
            return _message(frame, frame.d, epoch, vault)
        case _:
            return _event(frame, epoch, vault)


def _ready(frame: Frame, epoch: int, vault: Vault) -> Draft:
    fields = _fields(frame)
    session = text_of(fields, "session_id")
    user = id_of(inner_of(fields, "user"), "id")
    handle = vault.handle(SESSION, session)
    kept = (vault.seal(SESSION, session),) if session else ()
    return Draft((ReadyReceived(epoch, frame.s, handle, user),), kept)


def _event(frame: Frame, epoch: int, vault: Vault) -> Draft:
    """Keep an event whole; some may be answered by their outer id (10)."""
    body = vault.seal(BODY, frame.raw)
    peer, may_answer = _contact(frame)
    context = wire.event_context(frame.id) if peer and may_answer else b""
    event = DispatchReceived(
        epoch=epoch,
        s=frame.s,
        name=frame.t,
        body=body.handle,
        peer=peer,
        context=vault.handle(CONTEXT, context),
    )
    return Draft((event,), _kept(vault, body, context))


def _contact(frame: Frame) -> tuple[str, bool]:
    """Return whom an event is about, and whether it may be answered."""
    fields = _fields(frame)
    if frame.t == INTERACTION:
        by_type = CHAT_TYPES.get(int_of(fields, "chat_type"), "")
        kind = SCENES.get(text_of(fields, "scene"), by_type)
        return _peer(kind, fields), True
    kind, may_answer = CONTACTS.get(frame.t, ("", False))
    return _peer(kind, fields), may_answer


def _message(frame: Frame, raw: Raw, epoch: int, vault: Vault) -> Draft:
    fields = fields_of(raw)
    kind = MESSAGES[frame.t]
    sender = _sender(kind, fields)
    peer = f"{kind}:{sender}" if kind == C2C and sender else _peer(kind, fields)
    message_id = id_of(fields, "id")
    index = _index(fields)
    body = vault.seal(BODY, bytes(raw))
    context = wire.reply_context(message_id)
    event = MessageReceived(
        peer=peer,
        body=body.handle,
        message_id=message_id,
        kind=_kind(fields),
        context=vault.handle(CONTEXT, context),
        sent_ms=_sent_ms(fields),
        by_id=vault.handle("id", f"{peer}\0{message_id}") if message_id else "",
        quotes=_quotes(fields),
        epoch=epoch,
        s=frame.s or 0,
        sender=sender,
        by_index=(
            vault.handle("index", f"{peer}\0{message_id}\0{index}")
            if message_id and index
            else ""
        ),
    )
    return Draft((event,), _kept(vault, body, context))


def _kept(vault: Vault, body: Kept, context: bytes) -> tuple[Kept, ...]:
    return (body, vault.seal(CONTEXT, context)) if context else (body,)


def _peer(kind: str, fields: Fields) -> str:
    """Return the target that these fields name, empty when they name none."""
    names = (id_of(fields, name) for name in NAMED_BY.get(kind, ()))
    number = next(filter(None, names), "")
    return f"{kind}:{number}" if number else ""


def _sender(kind: str, fields: Fields) -> str:
    """Return who wrote; older frames have only the one openid (8.1)."""
    author = inner_of(fields, "author")
    openid = {C2C: "user_openid", GROUP: "member_openid"}.get(kind, "id")
    return id_of(author, openid) or id_of(author, "id")


def _index(fields: Fields) -> str:
    """Return the message's own index in its scene; empty when it has none (8.2)."""
    for raw in list_of(inner_of(fields, "message_scene"), "ext"):
        name, found, value = text_of({"ext": raw}, "ext").partition("=")
        if found and name == "msg_idx":
            return value
    return ""


def _kind(fields: Fields) -> str:
    """Return the kind of the first attachment; media never says so elsewhere (8.1)."""
    attachments = list_of(fields, "attachments")
    if not attachments:
        return "text"
    media = text_of(fields_of(attachments[0]), "content_type").partition("/")[0]
    return KINDS.get(media, "file")


def _quotes(fields: Fields) -> bool:
    return int_of(fields, "message_type") == QUOTE or "message_reference" in fields


def _sent_ms(fields: Fields) -> int:
    """Read RFC 3339 or Unix seconds; 0 for anything else."""
    seconds = int_of(fields, "timestamp")
    if seconds is not None:
        whole_ms = seconds if seconds > SECONDS_MAX else seconds * 1000
        return max(0, whole_ms)
    try:
        moment = datetime.fromisoformat(text_of_any(fields, "timestamp"))
        since = moment - EPOCH
    except (ValueError, TypeError, OverflowError):
        return 0  # TypeError: a time without its zone could be anywhere.
    return max(0, since // timedelta(milliseconds=1))


def read(raw: Any) -> Reading:
    """Say what a host sees of a message."""
    fields: Mapping[str, Any] = raw if isinstance(raw, dict) else {}
    attachments = fields.get("attachments")
    items = attachments if isinstance(attachments, list) else []
    return Reading(_text(fields, items), list(map(_whole, items)), _quote(fields))


def _text(fields: Mapping[str, Any], items: list[Any]) -> str:
    """Return the text, or what the peer heard in voice."""
    text = fields.get("content")
    text = text if isinstance(text, str) else ""
    if "group_openid" in fields or "group_id" in fields:
        # The mention of the bot was taken out, the space after it was not (8.2).
        text = text.removeprefix(" ")
    if text.strip():
        return text
    heard = (one.get("asr_refer_text") for one in items if isinstance(one, dict))
    return "\n".join(words for words in heard if isinstance(words, str) and words)


def _whole(item: Any) -> Any:
    """Complete the address of an attachment, which may lack its scheme (8.1)."""
    url = item.get("url") if isinstance(item, dict) else None
    if not isinstance(url, str) or not url or "://" in url.partition("?")[0]:
        return item
    return {**item, "url": f"https://{url.removeprefix('//')}"}


def _quote(fields: Mapping[str, Any]) -> Any:
    """Return what is quoted as the peer gave it."""
    elements = fields.get("msg_elements")
    if fields.get("message_type") == QUOTE and isinstance(elements, list) and elements:
        return elements[0]
    return fields.get("message_reference")
