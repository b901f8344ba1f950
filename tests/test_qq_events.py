"""Events of QQ that are no messages, and what a host sees of those that are."""

from typing import Any

import msgspec
import pytest
from test_qq_inbound import C2C, EPOCH, dispatch, frame, one

from holdfast.core.events import MessageReceived
from holdfast.core.qq_events import (
    DispatchReceived,
)
from holdfast.io.qq import inbound


@pytest.mark.parametrize(
    ("t", "d", "peer", "answerable"),
    [
        ("FRIEND_ADD", {"openid": "A"}, "c2c:A", True),
        ("C2C_MSG_RECEIVE", {"openid": "A"}, "c2c:A", True),
        ("GROUP_ADD_ROBOT", {"group_openid": "G"}, "group:G", True),
        ("GROUP_MSG_RECEIVE", {"group_openid": "G"}, "group:G", True),
        ("FRIEND_DEL", {"openid": "A"}, "c2c:A", False),
        ("C2C_MSG_REJECT", {"openid": "A"}, "c2c:A", False),
        ("GROUP_DEL_ROBOT", {"group_openid": "G"}, "group:G", False),
        ("GROUP_MSG_REJECT", {"group_openid": "G"}, "group:G", False),
        ("INTERACTION_CREATE", {"scene": "c2c", "user_openid": "A"}, "c2c:A", True),
        ("INTERACTION_CREATE", {"chat_type": 1, "group_openid": "G"}, "group:G", True),
        ("INTERACTION_CREATE", {"scene": "guild", "channel_id": 5}, "guild:5", True),
        ("INTERACTION_CREATE", {"group_openid": "G"}, "", False),
        ("FRIEND_ADD", {"openid": ""}, "", False),
        ("GUILD_CREATE", {"id": "1"}, "", False),
        ("NEVER_SEEN", "odd", "", False),
    ],
)
def test_an_event_knows_whom_it_is_about_and_whether_it_may_be_answered(
    t: str, d: Any, peer: str, *, answerable: bool
) -> None:
    draft = dispatch(t, d)
    event = one(draft)
    assert isinstance(event, DispatchReceived)
    assert (event.epoch, event.s, event.name) == (EPOCH, 12, t)
    assert (event.peer, bool(event.context)) == (peer, answerable)
    if answerable:
        wanted = msgspec.json.encode({"event_id": f"{t}:ex4mpl3"})
        assert draft.kept[1].value == wanted


def test_an_event_without_its_outer_id_cannot_be_answered() -> None:
    event = one(dispatch("FRIEND_ADD", {"openid": "A"}, id=...))
    assert isinstance(event, DispatchReceived)
    assert (event.peer, event.context) == ("c2c:A", "")


def test_a_credential_in_a_scene_stays_in_the_body() -> None:
    scene = {"ext": ["auth_token=EXAMPLE", "msg_idx=R1", 5, "plain"]}
    draft = dispatch("C2C_MESSAGE_CREATE", C2C | {"message_scene": scene})
    event = one(draft)
    assert isinstance(event, MessageReceived)
    assert event.by_index
    assert b"EXAMPLE" not in msgspec.json.encode(event)
    assert [b"auth_token" in kept.value for kept in draft.kept] == [True, False]


def test_half_a_character_costs_nothing_but_itself() -> None:
    raw = '{"op":0,"s":1,"t":"C2C_MESSAGE_CREATE","d":{"id":"m","content":"\\ud83d"}}'
    event = one(frame(raw))
    assert isinstance(event, MessageReceived)
    assert event.message_id == "m"


def test_a_host_reads_text_attachments_and_quote() -> None:
    quoted = {"msg_idx": "R", "content": "before"}
    reading = inbound.read(
        C2C | {"message_type": 103, "msg_elements": [quoted], "attachments": [{"a": 1}]}
    )
    assert (reading.text, reading.items, reading.quote) == ("hello", [{"a": 1}], quoted)
    assert inbound.read(C2C).quote is None
    reference = {"message_reference": {"message_id": "1"}}
    assert inbound.read(reference).quote == {"message_id": "1"}


def test_a_group_text_begins_where_the_mention_ended() -> None:
    assert inbound.read({"content": " look", "group_openid": "G"}).text == "look"
    assert inbound.read({"content": " look"}).text == " look"


def test_voice_is_read_as_what_was_heard() -> None:
    voice = {"content_type": "voice", "asr_refer_text": "come home"}
    assert inbound.read({"content": " ", "attachments": [voice, 7]}).text == "come home"


@pytest.mark.parametrize(
    ("given", "whole"),
    [
        ("//files.example/a?b=1", "https://files.example/a?b=1"),
        ("files.example/a?u=http://x", "https://files.example/a?u=http://x"),
        ("http://files.example/a", "http://files.example/a"),
        ("", ""),
    ],
)
def test_an_address_without_scheme_is_completed(given: str, whole: str) -> None:
    (item,) = inbound.read({"attachments": [{"url": given, "size": 1}]}).items
    assert item == {"url": whole, "size": 1}


@pytest.mark.parametrize("raw", ["text", 7, None, [], {"attachments": 5, "content": 1}])
def test_what_is_no_message_reads_as_nothing(raw: Any) -> None:
    reading = inbound.read(raw)
    assert (reading.text, reading.items, reading.quote) == ("", [], None)
