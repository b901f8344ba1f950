"""Frames of QQ: each becomes one fact; strange ones are kept whole, secrets apart."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.core.events import Event, MessageReceived
from holdfast.core.qq_events import (
    DispatchReceived,
    FrameUnread,
    HeartbeatAcked,
    HeartbeatAsked,
    HelloReceived,
    ReadyReceived,
    ReconnectAsked,
    ResumedReceived,
    SessionInvalidated,
)
from holdfast.io.draft import Draft
from holdfast.io.qq import inbound, wire
from holdfast.io.vault import BODY, CONTEXT, SESSION, Vault


class Nothing:
    def value(self, _handle: str) -> bytes | None:
        return None


VAULT = Vault(bytes(32), "bob", Nothing())
EPOCH = 4
USER = "0A1B2C3D4E5F60718293A4B5C6D7E8F9"
GROUP = "F00DF00DF00DF00DF00DF00DF00DF00D"
C2C = {
    "id": "ROBOT1.0_Ex4mple.C2C-0001_a!",
    "content": "hello",
    "timestamp": "2026-09-01T10:00:00+08:00",
    "message_type": 0,
    "author": {"id": USER, "user_openid": USER, "username": "", "bot": False},
    "message_scene": {"source": "default", "ext": ["msg_idx=REFIDX_c2cExample0001=="]},
}
SENT_MS = 1_788_228_000_000


def frame(raw: str | bytes) -> Draft:
    return inbound.receive(wire.open_frame(raw), EPOCH, VAULT)


def dispatch(t: str, d: Any, s: Any = 12, **more: Any) -> Draft:
    whole = {"op": 0, "s": s, "t": t, "id": f"{t}:ex4mpl3", "d": d} | more
    there = {name: value for name, value in whole.items() if value is not ...}
    return frame(msgspec.json.encode(there).decode())


def one(draft: Draft) -> Event:
    (event,) = draft.events
    handles = {kept.handle for kept in draft.kept}
    for name in ("body", "context", "session"):
        assert getattr(event, name, "") in handles | {""}
    return event


def message(t: str = "C2C_MESSAGE_CREATE", **changes: Any) -> MessageReceived:
    event = one(dispatch(t, C2C | changes))
    assert isinstance(event, MessageReceived)
    return event


@pytest.mark.parametrize(
    ("raw", "event"),
    [
        ('{"op":10,"d":{"heartbeat_interval":41250}}', HelloReceived(EPOCH, 41_250)),
        ('{"op":10,"d":{"heartbeat_interval":"45000"}}', HelloReceived(EPOCH, 45_000)),
        ('{"op":10}', HelloReceived(EPOCH)),
        ('{"op":10,"d":7}', HelloReceived(EPOCH)),
        ('{"op":11}', HeartbeatAcked(EPOCH)),
        ('{"op":"11","d":null}', HeartbeatAcked(EPOCH)),
        ('{"op":1,"d":251}', HeartbeatAsked(EPOCH)),
        ('{"op":7}', ReconnectAsked(EPOCH)),
        ('{"op":9,"d":false}', SessionInvalidated(EPOCH, resumable=False)),
        ('{"op":9,"d": true }', SessionInvalidated(EPOCH, resumable=True)),
        ('{"op":9}', SessionInvalidated(EPOCH)),
        ('{"op":9,"d":"no"}', SessionInvalidated(EPOCH)),
        ('{"op":0,"s":257,"t":"RESUMED","d":""}', ResumedReceived(EPOCH, 257)),
        ('{"op":0,"s":"9","t":"RESUMED","d":{"a":1}}', ResumedReceived(EPOCH, 9)),
        ('{"op":0,"t":"RESUMED"}', ResumedReceived(EPOCH)),
    ],
)
def test_small_frames_are_facts_without_bodies(raw: str, event: Event) -> None:
    draft = frame(raw)
    assert one(draft) == event
    assert draft.kept == ()


@pytest.mark.parametrize(
    ("raw", "op", "readable"),
    [
        ('{"op":77,"d":1}', 77, True),
        ('{"op":-1}', -1, True),
        ("no JSON", None, False),
        ("[1]", None, False),
        ("", None, False),
        ("{}", None, False),
        ('{"op":"x"}', None, False),
        (b'{"op":11}', None, False),
        (b"\xff\x00", None, False),
        ("[" * 100_000, None, False),
    ],
)
def test_what_says_nothing_known_is_kept_whole(
    raw: str | bytes, op: int | None, *, readable: bool
) -> None:
    draft = frame(raw)
    event = one(draft)
    assert isinstance(event, FrameUnread)
    assert (event.op, not event.malformed) == (op, readable)
    assert [kept.value for kept in draft.kept] == [
        raw.encode() if isinstance(raw, str) else raw
    ]


def test_a_session_begins_with_its_id_in_the_vault() -> None:
    user = {"id": "1177000000000000001", "username": "demo", "bot": True}
    draft = dispatch("READY", {"version": 1, "session_id": "7d3c-52", "user": user}, 1)
    handle = VAULT.handle(SESSION, "7d3c-52")
    assert one(draft) == ReadyReceived(EPOCH, 1, handle, "1177000000000000001")
    assert draft.kept == (VAULT.seal(SESSION, "7d3c-52"),)
    assert one(dispatch("READY", "odd", ...)) == ReadyReceived(EPOCH)


def test_a_message_is_its_bytes_and_what_it_is_known_by() -> None:
    raw = '{"id":"m1", "content":"hi","odd" : 1.50}'
    draft = frame(f'{{"op":0,"s":12,"t":"C2C_MESSAGE_CREATE","id":"x","d":{raw}}}')
    body, context = draft.kept
    assert (body.kind, body.value) == (BODY, raw.encode())
    assert (context.kind, context.value) == (CONTEXT, b'{"msg_id":"m1"}')
    assert one(draft) == MessageReceived(
        peer="",
        body=body.handle,
        message_id="m1",
        context=context.handle,
        by_id=VAULT.handle("id", "\0m1"),
        epoch=EPOCH,
        s=12,
    )


def test_a_private_message_has_every_mark() -> None:
    event = message()
    assert event.peer == f"c2c:{USER}"
    assert event.sender == USER
    assert event.message_id == C2C["id"]
    assert event.sent_ms == SENT_MS
    assert (event.epoch, event.s, event.kind, event.origin) == (EPOCH, 12, "text", 1)
    index = f"{event.peer}\0{event.message_id}\0REFIDX_c2cExample0001=="
    assert event.by_index == VAULT.handle("index", index)
    assert not event.quotes


@pytest.mark.parametrize(
    ("t", "fields", "peer", "sender"),
    [
        ("C2C_MESSAGE_CREATE", {"author": {"id": USER}}, f"c2c:{USER}", USER),
        (
            "GROUP_AT_MESSAGE_CREATE",
            {"group_openid": GROUP, "author": {"member_openid": "B"}},
            f"group:{GROUP}",
            "B",
        ),
        (
            "GROUP_MESSAGE_CREATE",
            {"group_id": GROUP, "author": {"id": "B"}},
            f"group:{GROUP}",
            "B",
        ),
        (
            "AT_MESSAGE_CREATE",
            {"channel_id": 100010, "guild_id": "1", "author": {"id": 42}},
            "guild:100010",
            "42",
        ),
        ("MESSAGE_CREATE", {"channel_id": "7", "author": {}}, "guild:7", ""),
        (
            "DIRECT_MESSAGE_CREATE",
            {"guild_id": "99", "channel_id": "2", "author": {"id": "42"}},
            "dm:99",
            "42",
        ),
    ],
)
def test_each_message_has_its_target_and_its_sender(
    t: str, fields: dict[str, Any], peer: str, sender: str
) -> None:
    event = message(t, **fields)
    assert (event.peer, event.sender) == (peer, sender)


def test_the_same_group_message_is_known_again_whichever_event_brought_it() -> None:
    where = {"group_openid": GROUP, "author": {"member_openid": "B"}}
    at = message("GROUP_AT_MESSAGE_CREATE", **where)
    full = message("GROUP_MESSAGE_CREATE", content="<@X> hello", **where)
    assert (at.by_id, at.by_index) == (full.by_id, full.by_index)
    assert at.body != full.body


@pytest.mark.parametrize(
    ("timestamp", "sent_ms"),
    [
        ("2026-09-01T02:00:00Z", SENT_MS),
        ("2026-09-01T02:00:00.1239Z", SENT_MS + 123),
        (SENT_MS // 1000, SENT_MS),
        (str(SENT_MS // 1000), SENT_MS),
        (SENT_MS, SENT_MS),
        ("2026-09-01T02:00:00", 0),
        ("0001-01-01T00:00:00+23:59", 0),
        ("soon", 0),
        (-5, 0),
        (None, 0),
        ({}, 0),
        (1.5, 0),
    ],
)
def test_a_time_is_read_in_either_form_or_not_at_all(
    timestamp: Any, sent_ms: int
) -> None:
    assert message(timestamp=timestamp).sent_ms == sent_ms


@pytest.mark.parametrize(
    ("media", "kind"),
    [
        ("image/png", "image"),
        ("video/mp4", "video"),
        ("voice", "voice"),
        ("file", "file"),
        ("", "file"),
        (7, "file"),
    ],
)
def test_the_first_attachment_gives_the_kind(media: Any, kind: str) -> None:
    assert message(attachments=[{"content_type": media}, {}]).kind == kind


def test_a_quote_is_known_as_one() -> None:
    assert message(message_type=103).quotes
    assert message(message_type="103").quotes
    assert message("AT_MESSAGE_CREATE", message_reference={"message_id": "1"}).quotes


def test_a_message_without_its_id_or_place_is_still_a_message() -> None:
    draft = dispatch("C2C_MESSAGE_CREATE", {"content": "hi"}, ...)
    event = one(draft)
    assert isinstance(event, MessageReceived)
    assert (event.message_id, event.context, event.by_id, event.s) == ("", "", "", 0)
    assert len(draft.kept) == 1


@pytest.mark.parametrize("d", [None, ..., "text", 7, [], {}])
def test_a_message_that_is_no_object_is_kept_whole(d: Any) -> None:
    draft = dispatch("C2C_MESSAGE_CREATE", d)
    event = one(draft)
    assert isinstance(event, DispatchReceived)
    assert (event.name, event.s, event.peer) == ("C2C_MESSAGE_CREATE", 12, "")
    assert b"C2C_MESSAGE_CREATE" in draft.kept[0].value


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.floats(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
NAMES = st.sampled_from(["READY", "RESUMED", *inbound.MESSAGES, *inbound.CONTACTS])
FIELDS = st.sampled_from([*C2C, "attachments", "group_openid", "openid", "user"])


@given(NAMES, st.dictionaries(FIELDS, JSON), JSON)
def test_whatever_a_dispatch_holds_it_is_one_fact(t: str, d: Any, s: Any) -> None:
    draft = dispatch(t, d, s)
    event = one(draft)
    decoded = msgspec.json.decode(msgspec.json.encode(event), type=Event)
    assert decoded == event
    reading = inbound.read(d)
    assert isinstance(reading.text, str)
