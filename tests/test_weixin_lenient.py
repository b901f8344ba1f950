"""Reading iLink's answers: whatever comes, nothing raises and little is lost."""

import json
import time
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Raw
from test_weixin_wire import USER, VAULT

from holdfast.core.events import MessageReceived
from holdfast.io.opening import BOM, Opened
from holdfast.io.vault import BODY, CONTEXT
from holdfast.io.weixin import inbound, wire

MIB = 1 << 20
DEEP = 5_000_000
NAMES = ("msgs", "ret", "message_id", "from_user_id", "item_list", "create_time_ms")


def receive(raw: bytes) -> MessageReceived:
    return inbound.receive(Raw(raw), VAULT)[0]


def message(*items: bytes) -> MessageReceived:
    """Receive a message that has these items and a time, so that all is looked at."""
    fields = b'{"message_id":7,"create_time_ms":1,"item_list":['
    return receive(fields + b",".join(items) + b"]}")


# Whole answers.


@pytest.mark.parametrize("before", [b"", BOM, b" \r\n\t", BOM + b"\n"])
@pytest.mark.parametrize("behind", [b"", b"\n", b" " * 1_000])
def test_what_stands_around_an_answer_is_not_part_of_it(
    before: bytes, behind: bytes
) -> None:
    found = wire.open_answer(before + b'{"ret":-2}' + behind)
    assert wire.int_of(found.fields, "ret") == -2
    assert not found.malformed


@pytest.mark.parametrize("body", [b"", b"  \n", BOM])
def test_an_empty_answer_says_nothing_and_is_not_malformed(body: bytes) -> None:
    assert wire.open_answer(body) == Opened({})


@pytest.mark.parametrize(
    "body",
    [
        b"<!doctype html><html></html>",
        b"null",
        b"[]",
        b'[{"ret":0}]',
        b'"ret"',
        b"17",
        b'{"ret":0',
        b'{"ret":0,"msgs":[{"message_id":1},{"mess',
        b'{"ret":0}{"ret":0}',
        b'{"\xff":0}',
        b"\xff\xfe{\x00}\x00",
        b"\x1f\x8b\x08\x00",
        b"\x00",
    ],
)
def test_what_is_no_object_is_malformed_and_says_why(body: bytes) -> None:
    found = wire.open_answer(body)
    assert found.fields == {}
    assert found.malformed
    assert len(found.malformed) <= wire.ERRMSG_MAX


def test_of_two_fields_with_one_name_the_last_counts() -> None:
    found = wire.open_answer(b'{"ret":null,"msgs":null,"ret":-14,"msgs":[1]}')
    assert wire.int_of(found.fields, "ret") == -14
    assert len(wire.list_of(found.fields, "msgs")) == 1


def test_a_field_that_cannot_be_read_costs_only_itself() -> None:
    found = wire.open_answer(b'{"errmsg":"\xff","ret":"zero","msgs":[{},{"a":"\xff"}]}')
    assert wire.errmsg_of(found.fields) == ""
    assert wire.int_of(found.fields, "ret") is None
    assert len(wire.list_of(found.fields, "msgs")) == 2


@pytest.mark.parametrize(
    ("written", "count"),
    [
        (b"null", 0),
        (b"[]", 0),
        (b"[{},5,null]", 3),
        (b'[{"a":"\xff"},{}]', 2),
        (b'[{"a":"\\ud800"},{}]', 2),
        (b'[{"a":"' + b"\\u4f60" * 9 + b'\\ud83d"},{}]', 2),
        (b"{}", None),
        (b'"[]"', None),
        (b"7", None),
        (b"[NaN]", None),
    ],
)
def test_messages_are_found_or_it_is_known_that_they_were_not(
    written: bytes, count: int | None
) -> None:
    found = wire.open_answer(b'{"msgs":' + written + b',"get_updates_buf":"c"}')
    messages = wire.messages_of(found.fields)
    lost = messages is None or bool(found.malformed)
    assert lost if count is None else len(messages or []) == count
    assert wire.messages_of({}) == []


# Messages.


def test_a_message_is_a_fact_of_handles_and_keeps_its_values_beside_it() -> None:
    raw = json.dumps(
        {
            "seq": 41,
            "message_id": 7500000000000000123,
            "from_user_id": USER,
            "client_id": "phone-1",
            "create_time_ms": 1_790_000_000_123,
            "message_type": 1,
            "context_token": "AARzJWEXAMPLE0001",
            "item_list": [{"type": 1, "text_item": {"text": "hello"}, "msg_id": "9"}],
        }
    ).encode()
    event, kept = inbound.receive(Raw(raw), VAULT)
    assert (event.peer, event.message_id) == (USER, "7500000000000000123")
    assert (event.kind, event.origin, event.quotes) == ("text", 1, False)
    assert event.sent_ms == 1_790_000_000_123
    assert [(value.kind, value.value) for value in kept] == [
        (BODY, raw),
        (CONTEXT, b"AARzJWEXAMPLE0001"),
    ]
    assert [value.handle for value in kept] == [event.body, event.context]
    handles = (event.by_id, event.by_client, event.by_wire_seq, event.by_items)
    assert all(handles)
    assert len({*handles, event.by_content}) == 5
    assert "hello" not in str(event)


@pytest.mark.parametrize(
    "raw", [b"5", b'"hello"', b"null", b"[]", b"{}", b"true", b'{"item_list":"none"}']
)
def test_what_is_hardly_a_message_is_still_one(raw: bytes) -> None:
    event = receive(raw)
    assert (event.peer, event.message_id, event.kind) == ("", "", "unknown")
    assert event.body


@pytest.mark.parametrize(
    ("written", "kind"),
    [(b"1", "text"), (b'"3"', "voice"), (b"99", "unknown"), (b"{}", "unknown")],
)
def test_the_kind_is_that_of_the_first_item(written: bytes, kind: str) -> None:
    assert message(b'{"type":' + written + b"}", b'{"type":1}').kind == kind


@pytest.mark.parametrize(
    "odd",
    [
        b'"\xff"',
        b'"\\ud800"',
        b"1" * 25,
        b"1" * 5_000,
        b"1e999",
        b"-0.0",
        b"[" * 900 + b"]" * 900,
    ],
)
def test_an_odd_value_in_an_item_does_not_lose_the_message(odd: bytes) -> None:
    item = b'{"type":1,"text_item":{"text":' + odd + b"}}"
    assert message(item).body
    assert message(item) == message(item)


@pytest.mark.parametrize("depth", range(960, 1_000))
def test_a_message_may_be_nested_as_deeply_as_an_answer_can_be(depth: int) -> None:
    assert message(b"[" * depth + b"]" * depth).body


def test_copies_differ_in_nothing_that_counts() -> None:
    one = message(b'{"type":1,"text_item":{"text":"hi"},"msg_id":"1"}')
    two = message(
        b'{"create_time_ms":9,"text_item":{"text":"\\u0068i"},"msg_id":2,"type":1}'
    )
    other = message(b'{"type":1,"text_item":{"text":"ho"}}')
    assert one.by_content == two.by_content != other.by_content


def test_text_and_quotes_are_found_among_items_of_any_kind() -> None:
    items: list[Any] = [
        None,
        {"type": 1, "text_item": {"text": "one"}, "ref_msg": None},
        {"type": 3, "voice_item": {"text": "two"}},
        {"type": 1, "text_item": "no object"},
        {"type": 2, "image_item": {}, "ref_msg": {"title": "quoted"}},
        "junk",
    ]
    assert inbound.text_in(items) == "one\ntwo"
    assert inbound.quote_in(items) == {"title": "quoted"}
    assert inbound.quote_in([]) is None


# Anything at all.

any_json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(NAMES), inner),
    max_leaves=20,
)
any_object = st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=3), any_json)


@st.composite
def nearly_answers(draw: st.DrawFn) -> bytes:
    """An answer of which some bytes were lost, doubled or changed on the way."""
    whole = json.dumps(draw(any_object)).encode()
    start = draw(st.integers(0, len(whole)))
    end = draw(st.integers(start, len(whole)))
    return whole[:start] + draw(st.binary(max_size=4)) + whole[end:]


@given(st.binary() | nearly_answers())
@settings(max_examples=200, deadline=None)
def test_no_bytes_make_the_readers_raise(body: bytes) -> None:
    found = wire.open_answer(body)
    for fields in (found.fields, {"it": Raw(body)}):
        for name in (*fields, *NAMES):
            for read in (wire.list_of, wire.int_of, wire.id_of, wire.text_of):
                read(fields, name)
        wire.errmsg_of(fields)
        wire.said(Opened(fields), ("secret",))
        wire.messages_of(fields)
    for raw in (Raw(body), *wire.list_of(found.fields, "msgs")):
        event, kept = inbound.receive(raw, VAULT)
        assert kept[0].value == bytes(raw) or not event.body


@given(st.lists(any_object, max_size=4))
@settings(max_examples=50, deadline=None)
def test_every_message_of_a_batch_is_received(messages: list[dict[str, Any]]) -> None:
    body = json.dumps({"ret": {}, "msgs": messages, "get_updates_buf": 5}).encode()
    found = wire.list_of(wire.open_answer(body).fields, "msgs")
    assert [json.loads(bytes(raw)) for raw in found] == messages
    assert all(inbound.receive(raw, VAULT)[0].body for raw in found)


# Bounds.


@pytest.mark.parametrize(
    "body",
    [
        b'{"msgs":' + b"[" * DEEP + b"]" * DEEP + b"}",
        b'{"msgs":' * DEEP,
        b"[" * DEEP,
        b'{"ret":' + b"1" * DEEP + b"}",
        b'{"errmsg":"' + b"\\u4f60" * (DEEP // 6) + b'"}',
    ],
    ids=["lists", "objects", "open", "digits", "escapes"],
)
def test_large_and_deep_answers_cost_time_and_memory_of_their_size(body: bytes) -> None:
    took_s, peak = cost(lambda: read_all(body))
    assert took_s < 2
    assert peak < 8 * len(body)


def read_all(body: bytes) -> None:
    fields = wire.open_answer(body).fields
    for name in ("msgs", "ret", "errmsg"):
        wire.int_of(fields, name)
        wire.text_of(fields, name)
        for raw in wire.list_of(fields, name):
            inbound.receive(raw, VAULT)
    inbound.receive(Raw(body), VAULT)


def cost(call: Callable[[], None]) -> tuple[float, int]:
    """Return the seconds of work and the most bytes that a call takes."""
    tracemalloc.start()
    began_s = time.process_time()
    try:
        call()
        return time.process_time() - began_s, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
