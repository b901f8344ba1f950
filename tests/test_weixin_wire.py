"""The wire to iLink: requests byte by byte as the sheet says, ids and fields exact."""

from base64 import b64decode, b64encode
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from holdfast.io.config_accounts import BOT_AGENT
from holdfast.io.vault import Vault
from holdfast.io.weixin import inbound, wire

AGENT = "MyBot/0.1.0"
USER = "o9cq80ExampleUser0000000001@im.wechat"
TOKEN = "b1c2d3e4f5a6@im.bot:0600dd44ee55ff66"  # noqa: S105 - invented.
UINT32_MAX = (1 << 32) - 1


class Nothing:
    """A vault's store without anything in it."""

    def value(self, _handle: str) -> bytes | None:
        return None


VAULT = Vault(bytes(32), "alice", Nothing())


def opened(**fields: Any) -> wire.Fields:
    """Return the fields of an answer that says this."""
    return wire.open_answer(msgspec.json.encode(fields)).fields


def field(raw: bytes) -> wire.Fields:
    """Return an answer's fields, of which one is written like this."""
    return wire.open_answer(b'{"a":1,"it":' + raw + b',"z":2}').fields


# Requests.


def test_the_headers_are_those_of_the_sheet() -> None:
    sent = wire.headers(TOKEN)
    uin = sent.pop("X-WECHAT-UIN")
    assert sent == {
        "Content-Type": "application/json",
        "AuthorizationType": "ilink_bot_token",
        "Authorization": f"Bearer {TOKEN}",
        "iLink-App-Id": "bot",
        "iLink-App-ClientVersion": "132105",
    }
    assert b64encode(b64decode(uin, validate=True)).decode() == uin


def test_every_request_has_a_uin_of_its_own_that_is_a_uint32() -> None:
    uins = [wire.headers(TOKEN)["X-WECHAT-UIN"] for _ in range(200)]
    numbers = [b64decode(uin, validate=True).decode("ascii") for uin in uins]
    assert all(str(int(number)) == number for number in numbers)
    assert all(0 <= int(number) <= UINT32_MAX for number in numbers)
    assert len(set(uins)) > 190


def test_without_a_token_there_is_no_authorization() -> None:
    assert "Authorization" not in wire.headers("")


def test_the_route_tag_is_sent_only_when_there_is_one() -> None:
    assert "SKRouteTag" not in wire.headers(TOKEN)
    assert wire.headers(TOKEN, "gray-7")["SKRouteTag"] == "gray-7"


def test_a_poll_is_this_body() -> None:
    body = wire.encode({"get_updates_buf": "aW52ZW50ZWQ="}, AGENT)
    assert body == (
        b'{"get_updates_buf":"aW52ZW50ZWQ=",'
        b'"base_info":{"channel_version":"2.4.9","bot_agent":"MyBot/0.1.0"}}'
    )


def test_a_send_is_this_body() -> None:
    message = wire.text_message(USER, "hi there", "mybot:1", "AARzJWEXAMPLE0001")
    assert wire.encode({"msg": message}, AGENT) == (
        b'{"msg":{"from_user_id":"",'
        b'"to_user_id":"o9cq80ExampleUser0000000001@im.wechat",'
        b'"client_id":"mybot:1","message_type":2,"message_state":2,'
        b'"context_token":"AARzJWEXAMPLE0001",'
        b'"item_list":[{"type":1,"text_item":{"text":"hi there"}}]},'
        b'"base_info":{"channel_version":"2.4.9","bot_agent":"MyBot/0.1.0"}}'
    )


def test_a_send_without_a_context_token_names_none() -> None:
    assert "context_token" not in wire.text_message(USER, "hi", "mybot:1", "")


def test_text_is_sent_as_utf_8_and_not_escaped() -> None:
    message = wire.text_message(USER, 'né 你好 🐚 "\n', "mybot:1", "")
    body = wire.encode({"msg": message}, AGENT)
    assert 'né 你好 🐚 \\"\\n'.encode() in body


def test_our_own_agent_is_one_that_the_sheet_allows() -> None:
    assert BOT_AGENT.encode() in wire.encode({}, BOT_AGENT)


# Ids.


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (b"7500000000000000123", "7500000000000000123"),
        (b"7500000000000000456", "7500000000000000456"),
        (b"9007199254740993", "9007199254740993"),
        (b"9223372036854775808", "9223372036854775808"),
        (b"18446744073709551615", "18446744073709551615"),
        (b"123456789012345678901234567890", "123456789012345678901234567890"),
        (b'"7500000000000000123"', "7500000000000000123"),
        (b'"an-id"', "an-id"),
        (b'""', ""),
        (b"0", ""),
        (b'"0"', ""),
        (b"null", ""),
        (b'{"id":1}', ""),
        (b"[1]", ""),
        (b"1" * 200, ""),
    ],
)
def test_an_id_is_exact_at_any_size_and_in_any_form(written: bytes, read: str) -> None:
    assert wire.id_of(field(written), "it") == read


def test_an_absent_id_is_empty() -> None:
    assert wire.id_of(opened(), "it") == ""


@given(st.integers(min_value=1, max_value=(1 << 64) - 1))
def test_every_uint64_comes_through(number: int) -> None:
    for fields in (field(b"%d" % number), field(b'"%d"' % number)):
        assert wire.id_of(fields, "it") == str(number)


def test_two_ids_that_are_one_as_doubles_are_two_messages() -> None:
    first, second = (
        inbound.receive(Raw(b'{"message_id":%d}' % number), VAULT)[0]
        for number in (7500000000000000123, 7500000000000000456)
    )
    assert first.message_id != second.message_id
    assert first.by_id != second.by_id


# Fields.


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (b"-14", -14),
        (b'"-14"', -14),
        (b"0", 0),
        (b'"0"', 0),
        (b"999999999999999999", 999999999999999999),
        (b"1" * 30, None),
        (b"1" * 9_000, None),
        (b"null", None),
        (b'""', None),
        (b'" -14 "', -14),
        (b'"--5"', None),
        ('"١٤"'.encode(), None),
        (b'"-"', None),
        (b'"soon"', None),
        (b"1.5", None),
        (b"1e3", None),
        (b"true", None),
        (b"[0]", None),
        (b'{"ret":0}', None),
    ],
)
def test_a_whole_number_is_read_and_anything_else_is_none(
    written: bytes, read: int | None
) -> None:
    assert wire.int_of(field(written), "it") == read
    assert wire.int_of(field(written), "absent") is None


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (b'"session timeout"', "session timeout"),
        (b'"\\u4f60"', "你"),
        (b"null", ""),
        (b"17", ""),
        (b'{"a": [1]}', ""),
        (b'"\\ud800"', "?"),
        (b'"\xff"', ""),
    ],
)
def test_text_is_read_and_anything_else_is_nothing(written: bytes, read: str) -> None:
    fields = wire.open_answer(b'{"it":' + written + b"}").fields
    assert wire.text_of(fields, "it") == read


@pytest.mark.parametrize("written", [b"null", b'"msgs"', b"{}", b"7", b"true"])
def test_what_is_no_list_has_no_elements(written: bytes) -> None:
    assert wire.list_of(field(written), "it") == []


def test_the_peers_words_are_found_in_either_field_and_cut() -> None:
    assert wire.errmsg_of(opened(errmsg="one", msg="two")) == "one"
    assert wire.errmsg_of(opened(errmsg="", msg="two")) == "two"
    assert wire.errmsg_of(opened(msg={"a": 1})) == ""
    said = wire.said(wire.Opened(opened(errmsg="x" * 5_000)))
    assert len(said.errmsg) == wire.ERRMSG_MAX


def test_what_we_sent_does_not_come_back_as_the_peers_words() -> None:
    fields = opened(ret=-2, errmsg="cannot send 'my secret text' to you")
    said = wire.said(wire.Opened(fields), ["my secret text", ""])
    assert said.errmsg == "cannot send '…' to you"


@pytest.mark.parametrize("written", ["-14.0", '"--4"', '"١٤"', "{}", "true"])
def test_a_code_that_cannot_be_read_is_no_success(written: str) -> None:
    said = wire.said(wire.open_answer(b'{"ret":' + written.encode() + b"}"))
    assert (said.ret, said.malformed) == (None, "ret is no whole number")


def test_half_a_character_spoils_its_message_alone() -> None:
    body = b'{"msgs":[{"message_id":1},{"text":"\\ud800"},{"message_id":3}]}'
    found = wire.messages_of(wire.open_answer(body).fields)
    assert found is not None
    assert [wire.id_of(wire.fields_of(raw), "message_id") for raw in found] == [
        "1",
        "",
        "3",
    ]


@pytest.mark.parametrize("written", [b"{}", b'"[]"', b"7"])
def test_messages_that_are_no_list_are_not_taken_for_none(written: bytes) -> None:
    assert (
        wire.messages_of(wire.open_answer(b'{"msgs":' + written + b"}").fields) is None
    )
