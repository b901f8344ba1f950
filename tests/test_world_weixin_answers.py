"""Faults that bend single fields, messages or habits, and scripts that hold them."""

from typing import Any

import pytest
from weixin_client import Model, about, cursor_of, fields, texts

from holdfast.replay.world import weixin
from holdfast.replay.world.faults import ScriptError
from holdfast.replay.world.weixin_faults import (
    Cursor,
    Fields,
    NoHold,
    Padding,
    Script,
    Suppress,
    Withhold,
    decode_script,
)
from holdfast.replay.world.weixin_inbound import USER, Copy

# F8, F9, F14: strange polls.


@pytest.mark.parametrize("hint", [0, 1, 50, -1, 600_000, "35000", None])
def test_the_hint_can_be_anything(hint: Any) -> None:
    model = Model()
    model.arm(Fields(at="getupdates", set={"longpolling_timeout_ms": hint}))
    assert fields(model.poll())["longpolling_timeout_ms"] == hint


def test_polls_can_come_back_at_once_and_empty() -> None:
    model = Model()
    model.arm(NoHold(count=2))
    assert texts(model.poll()) == texts(model.poll()) == []
    assert model.at_ms == 0
    assert model.hold().until_ms == 35_000


def test_fields_of_a_poll_can_be_absent_or_null() -> None:
    model = Model()
    model.arm(Fields(drop=("get_updates_buf",), set={"msgs": None}))
    answer = fields(model.poll())
    assert answer["msgs"] is None
    assert "get_updates_buf" not in answer


def test_an_unchanged_cursor_brings_the_same_messages_again() -> None:
    model = Model()
    model.say()
    model.arm(Cursor(kind="unchanged"))
    reply = model.poll()
    assert cursor_of(reply) == ""
    assert texts(model.poll(cursor_of(reply))) == ["hello"]


def test_a_cursor_can_be_long_or_change_while_idle_and_still_be_right() -> None:
    model = Model()
    model.say()
    model.arm(Cursor(kind="huge", count=1))
    huge = cursor_of(model.poll())
    assert 100_000 <= len(huge) < 101_000
    model.arm(Cursor(kind="fresh"))
    first = cursor_of(model.poll(huge))
    second = cursor_of(model.poll(first))
    assert len({huge, first, second}) == 3
    assert texts(model.poll(second)) == []
    assert model.peer.violations == ()


def test_an_answer_can_be_of_any_size() -> None:
    model = Model()
    model.arm(Padding(bytes=1_000_000))
    reply = model.poll()
    assert len(reply.body) > 1_000_000
    assert texts(reply) == []


@pytest.mark.parametrize(("stolen", "left"), [(False, ["hello"]), (True, [])])
def test_polls_can_stay_empty_in_spite_of_messages(
    *, stolen: bool, left: list[str]
) -> None:
    model = Model()
    model.arm(Withhold(stolen=stolen, count=1))
    model.say()
    assert texts(model.poll()) == []
    assert model.at_ms == 35_000
    assert texts(model.poll()) == left


# F11, F12, F13: strange messages.


@pytest.mark.parametrize("message_id", [0, "7500000000000000123", 2**53 + 1, 2**64 - 1])
def test_a_message_id_goes_out_as_given(message_id: Any) -> None:
    model = Model()
    model.say(message_id=message_id)
    assert fields(model.poll())["msgs"][0]["message_id"] == message_id


def test_what_is_none_is_absent_and_what_is_empty_is_empty() -> None:
    model = Model()
    model.say(message_id=None, client_id=None, seq=None, context_token=None)
    model.say(context_token="", items=[], extra={"new_field": 1}, message_type=2)
    bare, odd = fields(model.poll())["msgs"]
    absent = {"message_id", "client_id", "seq", "context_token"}
    assert not absent & set(bare)
    assert (odd["context_token"], odd["item_list"], odd["new_field"]) == ("", [], 1)
    assert odd["message_type"] == 2


def test_a_copy_can_differ_in_everything_but_its_meaning() -> None:
    model = Model()
    quote = {"svr_id": 2**63 + 1}
    model.say("ok")
    copies = (
        Copy(),
        Copy(ids="fresh", context="fresh", ref_msg=quote),
        Copy(ids="absent", context="absent", changes={"session_id": "s"}),
    )
    for copy in copies:
        model.peer = weixin.repeat(model.peer, 0, copy, of=0)
    first, same, other, bare = fields(model.poll())["msgs"]
    assert same == first
    assert other["item_list"] == [first["item_list"][0] | {"ref_msg": quote}]
    for name in ("message_id", "seq", "client_id", "context_token"):
        assert other[name] != first[name]
        assert name not in bare
    assert bare["session_id"] == "s"
    assert other["create_time_ms"] == bare["create_time_ms"] == first["create_time_ms"]


# F19, F22, F26: accepted, but.


def test_a_send_can_be_accepted_for_one_user_and_never_shown() -> None:
    model = Model()
    model.say()
    model.say(from_user="b@im.wechat")
    model.arm(Suppress(user=USER))
    assert model.send() == {"ret": 0}
    assert "message_id" in model.send(to_user_id="b@im.wechat")
    assert (model.shown(), model.shown("b@im.wechat")) == ([], ["hi there"])


def test_sends_can_be_shown_late_and_all_at_once() -> None:
    model = Model()
    model.say()
    model.arm(Suppress(keep_id=True, until_ms=60_000, count=2))
    for model.at_ms in (1, 2, 3):
        assert "message_id" in model.send()
    assert [shown.at_ms for shown in model.peer.shown[USER]] == [60_000, 60_000, 3]


def test_the_id_of_a_send_can_be_a_string() -> None:
    model = Model()
    model.say()
    model.arm(Fields(at="sendmessage", stringify=("message_id",)))
    assert model.send()["message_id"] == str(model.peer.shown[USER][0].message_id)


def test_a_ticket_can_be_empty_and_its_answer_without_ret() -> None:
    model = Model()
    model.say()
    model.arm(Fields(at="getconfig", drop=("ret",), set={"typing_ticket": ""}))
    assert fields(model.reply("getconfig", about())) == {"typing_ticket": ""}
    assert fields(model.reply("sendtyping", about(typing_ticket="")))["ret"] == -3


# Scripts.


SCRIPT = b"""
{"settings": {"hold_ms": 1000},
 "faults": [{"type": "code", "at": "notifystart", "errcode": -14, "count": 1},
            {"type": "wire", "how": "trickle", "at": "getupdates", "from_ms": 5000}],
 "says": [{"after_ms": 500, "text": "ok",
           "copies": [{"after_ms": 0, "ids": "absent"}, {"after_ms": 2000}]}]}
"""


def test_a_script_brings_settings_faults_and_messages_in_time() -> None:
    model = Model(script=decode_script(SCRIPT))
    assert fields(model.reply("notifystart", about())) == {"errcode": -14}
    assert weixin.wake_ms(model.peer, 0) == 500
    held = model.hold()
    assert held.until_ms == 1_000
    model.at_ms = 500
    reply = model.resume(held)
    assert texts(reply) == ["ok", "ok"], "the first copy is in the same batch"
    assert weixin.wake_ms(model.peer, 500) == 2_500
    model.at_ms = 5_000
    reply = model.poll(cursor_of(reply))
    assert reply.transport is not None
    assert len(model.peer.inbound) == 3
    assert weixin.wake_ms(model.peer, 5_000) is None


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ("{", "truncated"),
        ('{"fault": []}', "unknown field `fault`"),
        (
            '{"faults": [{"type": "cod"}]}',
            "Invalid value 'cod' - at `$.faults[0].type`",
        ),
        ('{"faults": [{"type": "code", "whence": 1}]}', "unknown field `whence`"),
        ('{"faults": [{"type": "code", "every": 0}]}', "every must be 1 or more"),
        ('{"faults": [{"type": "code", "from_ms": 5, "to_ms": 5}]}', "after from_ms"),
        ('{"faults": [{"type": "freeze"}]}', "a freeze needs to_ms"),
        ('{"faults": [{"type": "outage", "count": 1}]}', "ends at to_ms"),
        ('{"says": [{"text": 1}]}', "Expected `str`, got `int` - at `$.says[0].text`"),
    ],
)
def test_a_wrong_script_says_what_is_wrong_and_where(document: str, words: str) -> None:
    with pytest.raises(ScriptError, match="not a fault script") as caught:
        decode_script(document)
    assert words in str(caught.value)


def test_an_empty_script_is_a_healthy_peer() -> None:
    assert decode_script("{}") == Script()
