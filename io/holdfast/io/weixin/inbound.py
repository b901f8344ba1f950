"""Inbound messages: from the wire to a fact, and from the vault to the host.

The fact holds handles by which the message would be known again; the message itself is
kept in the vault exactly as it came, and opened again when it is offered.
"""

from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import Raw

from holdfast.core.events import MessageReceived
from holdfast.io.journal_rows import Kept
from holdfast.io.opening import name_of
from holdfast.io.reading import Reading
from holdfast.io.vault import BODY, CONTEXT, Vault
from holdfast.io.weixin import wire

KINDS = {
    "1": "text",
    "2": "image",
    "3": "voice",
    "4": "file",
    "5": "video",
    "11": "tool_call_start",
    "12": "tool_call_result",
}
# What two copies of one message may differ in (S4).
INCIDENTAL = ("ref_msg", "msg_id", "create_time_ms", "update_time_ms", "is_completed")
_decode = msgspec.json.Decoder()


def receive(raw: Raw, vault: Vault) -> tuple[MessageReceived, list[Kept]]:
    """Make the fact of one message, and what must be kept with it."""
    fields = wire.fields_of(raw)
    sender = name_of(fields, "from_user_id")
    items = [wire.fields_of(item) for item in wire.list_of(fields, "item_list")]
    context = wire.text_of(fields, "context_token")
    body = vault.seal(BODY, bytes(raw))
    message_id = wire.id_of(fields, "message_id")
    sent_ms = wire.int_of(fields, "create_time_ms") or 0
    content = _content(items) if sent_ms else ""

    def known_as(kind: str, value: str) -> str:
        return vault.handle(kind, f"{sender}\0{value}") if value else ""

    item_ids = sorted(filter(None, (wire.id_of(item, "msg_id") for item in items)))
    event = MessageReceived(
        peer=sender,
        body=body.handle,
        message_id=message_id,
        kind=_kind(items),
        origin=_origin(fields),
        context=vault.handle(CONTEXT, context),
        sent_ms=sent_ms,
        by_id=known_as("id", message_id),
        by_client=known_as("client", wire.text_of(fields, "client_id")),
        by_wire_seq=known_as("seq", wire.id_of(fields, "seq")),
        by_items=known_as("items", "\0".join(item_ids)),
        by_content=known_as("content", f"{sent_ms}\0{content}") if content else "",
        quotes=any("ref_msg" in item for item in items),
    )
    return event, [body, vault.seal(CONTEXT, context)] if context else [body]


def read(raw: Any) -> Reading:
    """Say what a host sees of a message."""
    items = raw.get("item_list") if isinstance(raw, dict) else None
    items = items if isinstance(items, list) else []
    return Reading(text_in(items), items, quote_in(items))


def text_in(items: Iterable[Any]) -> str:
    """Return what a person would read: texts, and what the peer heard in voice."""
    found = []
    for item in items:
        inner = item if isinstance(item, dict) else {}
        for name in ("text_item", "voice_item"):
            part = inner.get(name)
            text = part.get("text") if isinstance(part, dict) else None
            if isinstance(text, str) and text:
                found.append(text)
    return "\n".join(found)


def quote_in(items: Iterable[Any]) -> Any:
    """Return the first quoted message as the peer gave it; None when there is none."""
    for item in items:
        if isinstance(item, dict) and item.get("ref_msg") is not None:
            return item["ref_msg"]
    return None


def _kind(items: list[wire.Fields]) -> str:
    first = wire.id_of(items[0], "type") if items else ""
    return KINDS.get(first, "unknown")


def _origin(fields: wire.Fields) -> int:
    """Return 1 for a user and 2 for a bot; what is neither counts as a user's."""
    origin = wire.int_of(fields, "message_type")
    return origin if origin in (1, 2) else 1


def _content(items: list[wire.Fields]) -> str:
    """Return what stays the same in every copy of a message, in a fixed order.

    Empty when it cannot be read: the message is then known again by its ids alone.
    """
    try:
        kept = [
            {
                name: _decode.decode(raw)
                for name, raw in item.items()
                if name not in INCIDENTAL
            }
            for item in items
        ]
        return msgspec.json.encode(kept, order="deterministic").decode()
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return ""
