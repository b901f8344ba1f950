"""Every fault of the catalogue (section 19) that concerns the calls of this peer."""

from typing import Any

import msgspec
import pytest
from weixin_client import Model, about, cursor_of, fields, outbound, texts

from holdfast.replay.world import weixin
from holdfast.replay.world.weixin_faults import (
    AnyFault,
    ClockJump,
    Code,
    Freeze,
    Garbage,
    HttpStatus,
    Late,
    NoHold,
    Outage,
    Wire,
)
from holdfast.replay.world.weixin_inbound import USER, Copy
from holdfast.replay.world.weixin_settings import Settings
from holdfast.replay.world.wire import Reply, Transport

STALE = {"errcode": -14, "errmsg": "session timeout"}
OLD, NEW, FORGED = "context-1", "context-2", "forged"


def struck(*faults: AnyFault, settings: Settings | None = None) -> Model:
    """Return a model on which a user wrote, with these faults armed."""
    model = Model(settings)
    model.say()
    for fault in faults:
        model.arm(fault)
    return model


# F1, F2, F15, F20: codes.


@pytest.mark.parametrize(
    "codes",
    [
        {"errcode": -14},
        {"ret": -14},
        {"ret": -14, "errcode": -14},
        {"ret": 0, "errcode": -14},
    ],
)
def test_a_code_stands_where_the_script_puts_it(codes: dict[str, Any]) -> None:
    fault = msgspec.convert({"type": "code", "count": 1} | codes, Code)
    model = struck(fault)
    assert fields(model.poll()) == codes
    assert texts(model.poll()) == ["hello"], "the messages were not touched"


def test_a_code_may_come_together_with_messages() -> None:
    model = struck(Code(at="getupdates", ret=-1, errmsg="odd", acted=True))
    answer = fields(model.poll())
    assert (answer["ret"], answer["errmsg"], len(answer["msgs"])) == (-1, "odd", 1)


@pytest.mark.parametrize(
    "words",
    [
        {"errmsg": "prepare failed"},
        {"errmsg": "unknown error"},
        {"errmsg": "rate limited"},
        {"errmsg": ""},
        {},
        {"msg": "prepare failed"},
    ],
)
def test_a_refused_send_says_so_in_any_words_or_none(words: dict[str, str]) -> None:
    model = struck(msgspec.convert({"type": "code", "ret": -2} | words, Code))
    assert model.send() == {"ret": -2} | words
    assert model.shown() == []


def test_a_fault_skips_and_picks_and_counts_calls() -> None:
    model = struck(Code(at="sendmessage", ret=-2, skip=1, every=2, count=2))
    answers = [model.send()["ret"] for _ in range(7)]
    assert answers == [0, -2, 0, -2, 0, 0, 0]


def test_a_fault_keeps_to_its_window_from_when_it_was_armed() -> None:
    model = struck()
    model.at_ms = 1_000
    model.arm(Code(ret=-2, from_ms=500, to_ms=600))
    answers = []
    for at_ms in (1_499, 1_500, 1_599, 1_600):
        model.at_ms = at_ms
        answers.append(model.send()["ret"])
    assert answers == [0, -2, -2, 0]


def test_a_fault_of_one_endpoint_and_user_spares_the_others() -> None:
    model = struck(Code(at="sendmessage", user="b@im.wechat", ret=-2))
    model.say(from_user="b@im.wechat")
    assert model.send()["ret"] == 0
    assert model.send(to_user_id="b@im.wechat") == {"ret": -2}


def test_healing_takes_faults_off_the_clock() -> None:
    model = struck(Code(ret=-2), NoHold())
    model.peer = weixin.heal(model.peer, Code)
    assert model.send()["ret"] == 0
    assert len(model.peer.armed) == 1
    assert weixin.heal(model.peer).armed == ()


def test_only_sends_that_carry_an_old_context_token_are_refused() -> None:
    model = struck()
    model.peer = weixin.expire_context(model.peer, 0, USER)
    model.say()
    assert model.send(context_token=OLD) == STALE
    assert model.send(context_token=FORGED) == STALE
    assert model.send(context_token=NEW)["ret"] == 0
    assert model.send()["ret"] == 0


def test_a_repeated_message_does_not_revive_its_context_token() -> None:
    model = struck()
    model.peer = weixin.expire_context(model.peer, 0, USER, refusal=Code(ret=-2))
    model.peer = weixin.repeat(model.peer, 1, Copy())
    assert model.send(context_token=OLD) == {"ret": -2}


# F3, F21, F28: time.


def test_an_answer_may_be_made_in_time_and_come_late() -> None:
    model = struck(Late(at="getupdates", age_ms=35_005))
    reply = model.poll()
    assert (texts(reply), reply.delay_ms) == (["hello"], 35_005)
    model = struck(Late(at="sendmessage", delay_ms=16_000))
    assert model.reply("sendmessage", outbound("x")).delay_ms == 16_000
    assert model.shown() == ["x"]


def test_a_frozen_peer_answers_when_it_thaws() -> None:
    model = struck(Freeze(from_ms=1_000, to_ms=31_000))
    model.at_ms = 6_000
    assert model.reply("sendmessage", outbound("x")).delay_ms == 25_000


def test_a_wrong_clock_shows_in_what_the_peer_writes() -> None:
    model = Model()
    model.arm(ClockJump(by_ms=-3_600_000, from_ms=10))
    model.say()
    model.at_ms = 10
    model.say()
    created = [message["create_time_ms"] for message in fields(model.poll())["msgs"]]
    assert created == [0, 10 - 3_600_000]


@pytest.mark.parametrize("lose_state", [True, False])
def test_an_outage_cuts_polls_and_may_lose_what_the_peer_knew(
    lose_state: bool,  # noqa: FBT001 - pytest gives it by name.
) -> None:
    model = Model()
    held = model.hold()
    model.say()
    model.peer = weixin.abandon(model.peer, 0, held.number)
    held = model.hold(cursor_of(model.poll()))
    model.arm(Outage(from_ms=5, to_ms=1_000, lose_state=lose_state))
    model.at_ms = 5
    assert weixin.wake_ms(model.peer, 0) == 5
    assert model.resume(held) == Reply(transport=Transport("reset_before_headers"))
    assert model.last.outcome == "cut"
    assert not weixin.is_listening(model.peer, 5)
    assert weixin.wake_ms(model.peer, 5) == 1_000
    assert weixin.is_listening(model.peer, 1_000)
    model.at_ms = 1_000
    assert texts(model.poll()) == ([] if lose_state else ["hello"])
    assert model.send()["ret"] == (-2 if lose_state else 0)


# F4, F7, F21: transport. What the server makes of it is in test_world_serve.py.


def test_a_broken_transport_loses_only_what_the_peer_did_before() -> None:
    model = struck(Wire(at="sendmessage", how="reset_before_headers", count=1))
    model.reply("sendmessage", outbound("a"))
    model.arm(Wire(at="sendmessage", how="accept_and_close", acted=True, count=1))
    reply = model.reply("sendmessage", outbound("b"))
    assert reply.transport == Transport("accept_and_close")
    assert model.shown() == ["b"]
    assert [entry.transport for entry in model.peer.log] == [
        "reset_before_headers",
        "accept_and_close",
    ]
    assert model.last.outcome == "broken"


def test_a_cut_answer_loses_its_messages_when_they_are_gone_once_handed_out() -> None:
    for consume, left in (("cursor", ["hello"]), ("hand_out", [])):
        fault = Wire(how="cut_body", acted=True, carrying=True, count=1)
        settings = msgspec.convert({"consume": consume}, Settings)
        model = struck(fault, settings=settings)
        assert model.poll().transport is not None
        assert texts(model.poll()) == left


def test_a_fault_that_wants_messages_spares_empty_answers() -> None:
    model = Model()
    model.arm(Wire(how="cut_body", acted=True, carrying=True))
    reply = model.poll()
    assert reply.transport is None
    model.say()
    assert model.poll(cursor_of(reply)).transport is not None


def test_refusing_one_call_shuts_the_door_for_a_time() -> None:
    model = struck(Wire(how="refuse", for_ms=20_000, count=1))
    model.reply("notifystart", about())
    assert not weixin.is_listening(model.peer, 19_999)
    assert weixin.is_listening(model.peer, 20_000)


# F5, F6: the edge, and bodies that are no answer.


@pytest.mark.parametrize("status", [524, 502, 503, 429, 401, 302])
def test_the_edge_answers_for_a_peer_that_did_nothing(status: int) -> None:
    headers = {"Location": "/elsewhere"}
    model = struck(HttpStatus(status=status, after_ms=16_000, headers=headers))
    reply = model.reply("sendmessage", outbound("x"))
    assert (reply.status, reply.delay_ms) == (status, 16_000)
    assert ("Location", "/elsewhere") in reply.headers
    assert model.shown() == []


GARBAGE = {
    "html": lambda body: body.startswith(b"<!doctype"),
    "empty": lambda body: body == b"",
    "object": lambda body: body == b"{}",
    "null": lambda body: body == b"null",
    "array": lambda body: body == b'[{"ret":0}]',
    "truncated": lambda body: body == b'{"re',
    "duplicate_keys": lambda body: body == b'{"ret":null,"ret":0}',
    "bom": lambda body: body == b'\xef\xbb\xbf{"ret":0}',
}


@pytest.mark.parametrize("kind", ["object", "empty"])
def test_a_send_can_be_shown_and_answered_by_nothing(kind: str) -> None:
    fault = {"type": "garbage", "kind": kind, "acted": True}
    model = struck(msgspec.convert(fault, Garbage))
    assert model.reply("sendmessage", outbound("x")).body in {b"{}", b""}
    assert model.shown() == ["x"]


@pytest.mark.parametrize("kind", GARBAGE)
def test_a_body_can_be_anything(kind: str) -> None:
    model = struck(msgspec.convert({"type": "garbage", "kind": kind}, Garbage))
    assert GARBAGE[kind](model.reply("notifystart", about()).body)
