"""The healthy model of the Weixin peer: polls, manners, logins, the diary."""

import subprocess
import sys

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from weixin_client import (
    HEADERS,
    URLS,
    Model,
    about,
    cursor_of,
    fields,
    headers_for,
    outbound,
    polling,
    texts,
)

from holdfast.replay.world import weixin
from holdfast.replay.world.weixin_faults import Wire
from holdfast.replay.world.weixin_inbound import FIRST_ID, USER
from holdfast.replay.world.weixin_settings import Settings, Strict
from holdfast.replay.world.weixin_state import Peer
from holdfast.replay.world.weixin_wire import Held
from holdfast.replay.world.wire import Reply

STALE = {"errcode": -14, "errmsg": "session timeout"}
CONTEXT = "context-1"
NEW_BOT = "c0@im.bot"


def test_an_idle_poll_is_held_for_35_s_and_then_comes_back_empty() -> None:
    model = Model()
    held = model.hold()
    assert held.until_ms == 35_000
    model.at_ms = 34_999
    assert model.resume(held) == held
    model.at_ms = 35_000
    reply = model.resume(held)
    assert fields(reply)["msgs"] == []
    assert isinstance(reply, Reply)
    assert reply.headers == (("Content-Type", "application/octet-stream"),)
    assert model.peer.waiting == ()


def test_a_message_ends_the_hold_and_is_not_repeated_after_its_cursor() -> None:
    model = Model()
    held = model.hold()
    model.at_ms = 7_000
    model.say("good morning")
    reply = model.resume(held)
    assert texts(reply) == ["good morning"]
    assert "ret" not in fields(reply)
    assert texts(model.poll(cursor_of(reply))) == []


def test_a_message_has_the_fields_of_the_real_one() -> None:
    model = Model()
    model.at_ms = 5
    model.say("hello")
    assert fields(model.poll())["msgs"] == [
        {
            "seq": 1,
            "message_id": FIRST_ID + 1,
            "from_user_id": USER,
            "to_user_id": model.peer.bot_id,
            "client_id": "phone-1",
            "create_time_ms": 5,
            "message_type": 1,
            "message_state": 2,
            "context_token": "context-1",
            "item_list": [{"type": 1, "text_item": {"text": "hello"}}],
        }
    ]


def test_default_ids_fit_no_double() -> None:
    model = Model()
    model.say(times=2)
    first, second = (message["message_id"] for message in fields(model.poll())["msgs"])
    assert first != second
    assert float(first) == float(second)


def test_an_old_cursor_gets_the_messages_again_in_cursor_mode() -> None:
    model = Model()
    model.say("one")
    model.say("two")
    assert texts(model.poll()) == ["one", "two"]
    assert texts(model.poll()) == ["one", "two"]


def test_a_message_is_gone_once_handed_out_in_hand_out_mode() -> None:
    model = Model(Settings(consume="hand_out"))
    model.say("one")
    assert texts(model.poll()) == ["one"]
    assert texts(model.poll()) == []


@pytest.mark.parametrize(("parallel", "winner"), [("first", 0), ("last", 1)])
@pytest.mark.parametrize("consume", ["cursor", "hand_out"])
def test_of_parallel_polls_exactly_one_gets_a_message(
    parallel: str, winner: int, consume: str
) -> None:
    settings = {"parallel": parallel, "consume": consume}
    model = Model(msgspec.convert(settings, Settings))
    polls = [model.hold(), model.hold()]
    model.say("one")
    outcomes = [model.resume(poll) for poll in reversed(polls)][::-1]
    if winner == 0:
        outcomes[1] = model.resume(polls[1])
    assert texts(outcomes[winner]) == ["one"]
    assert isinstance(outcomes[1 - winner], Held)


def test_the_poll_that_lost_a_race_can_still_ask_again_in_cursor_mode() -> None:
    model = Model()
    model.hold()
    loser = model.hold()
    model.say("one")
    model.at_ms = 35_000
    assert isinstance(model.resume(loser), Reply)
    lost = model.hold()
    model.peer = weixin.abandon(model.peer, model.at_ms, 1)
    assert texts(model.resume(lost)) == ["one"]


def test_a_second_poll_ends_the_first_with_minus_14_when_polls_evict() -> None:
    model = Model(Settings(parallel="evict"))
    first, second = model.hold(), model.hold()
    assert fields(model.resume(first)) == STALE
    assert model.resume(second) == second


def test_a_poller_that_left_takes_no_message_with_it() -> None:
    model = Model(Settings(consume="hand_out"))
    held = model.hold()
    model.peer = weixin.abandon(model.peer, 5, held.number)
    assert model.last.outcome == "abandoned"
    model.say("one")
    assert texts(model.poll()) == ["one"]


def test_a_batch_limit_spreads_a_backlog_over_polls() -> None:
    model = Model(Settings(batch_max=2))
    model.say("{n}", times=3)
    first = model.poll()
    assert texts(first) == ["0", "1"]
    assert texts(model.poll(cursor_of(first))) == ["2"]


@pytest.mark.parametrize("endpoint", sorted(URLS))
def test_every_call_with_an_unknown_token_is_stale(endpoint: str) -> None:
    model = Model()
    for token in ("", "somebody@im.bot:else"):
        body = polling() | outbound("x") | about()
        assert fields(model.ask(endpoint, body, token=token)) == STALE


def test_lifecycle_calls_are_answered() -> None:
    model = Model()
    for endpoint in ("notifystart", "notifystop"):
        assert fields(model.reply(endpoint, about())) == {"ret": 0}
    assert [entry.endpoint for entry in model.peer.log] == ["notifystart", "notifystop"]
    assert model.peer.violations == ()


@pytest.mark.parametrize("header", sorted(HEADERS))
def test_a_missing_header_is_a_violation(header: str) -> None:
    for settings, found in ((Settings(), 1), (Settings(strict=Strict.off()), 0)):
        model = Model(settings)
        headers = headers_for(model.peer.token)
        del headers[header]
        body = msgspec.json.encode(about())
        reply = model.request("POST", URLS["notifystart"], headers, body)
        assert isinstance(reply, Reply)
        assert len(model.peer.violations) == found
        app_header = header.startswith("iLink-App")
        assert reply.status == (200 if app_header or not found else 400)
        assert (fields(reply) == STALE) is (app_header and bool(found))


@pytest.mark.parametrize(
    "change",
    [
        {"client_id": None},
        {"from_user_id": "b1c2d3e4f5a6@im.bot"},
        {"message_type": 1},
        {"item_list": []},
        {"item_list": [{"type": 1}, {"type": 1}]},
    ],
)
def test_a_malformed_message_is_a_violation(change: dict[str, object]) -> None:
    model = Model()
    model.say()
    assert model.reply("sendmessage", outbound("x", **change)).status == 400
    assert len(model.peer.violations) == 1
    assert model.shown() == []


def test_requests_that_are_no_call_are_violations() -> None:
    model = Model()
    headers = headers_for(model.peer.token)
    for method, path, body, status in (
        ("POST", "/ilink/bot/nothing", b"{}", 404),
        ("GET", URLS["getupdates"], msgspec.json.encode(polling()), 400),
        ("POST", URLS["getupdates"], b"[]", 400),
        ("POST", URLS["getupdates"], msgspec.json.encode(polling("made up")), 400),
        ("POST", URLS["getconfig"], b'{"base_info": {}}', 400),
    ):
        reply = model.request(method, path, headers, body)
        assert isinstance(reply, Reply)
        assert reply.status == status
    assert len(model.peer.violations) == 6


def test_a_bind_elsewhere_ends_the_held_poll_and_a_new_login_heals_it() -> None:
    model = Model()
    old = model.peer.token
    model.peer = weixin.bind_elsewhere(model.peer, 0, after_ms=29_000)
    assert fields(model.poll()) == STALE
    assert model.at_ms == 29_000
    assert model.send() == STALE
    model.peer = weixin.rebind(model.peer, model.at_ms, token=f"{old}-2")
    assert fields(model.poll())["msgs"] == []
    assert fields(model.ask("getupdates", polling(), token=old)) == STALE


def test_a_held_poll_ends_when_the_bind_is_sudden() -> None:
    model = Model()
    held = model.hold()
    model.peer = weixin.bind_elsewhere(model.peer, 0)
    assert fields(model.resume(held)) == STALE


def test_a_new_bot_id_starts_without_queue_and_context() -> None:
    model = Model()
    model.say("old")
    cursor = cursor_of(model.poll())
    model.peer = weixin.rebind(model.peer, 0, token=f"{NEW_BOT}:1", bot_id=NEW_BOT)
    model.say("new")
    assert fields(model.poll(cursor))["msgs"][0]["to_user_id"] == NEW_BOT
    assert texts(model.poll(cursor)) == ["new"]


@given(st.lists(st.sampled_from(["say", "poll", "cut"]), max_size=30))
def test_in_cursor_mode_a_cut_answer_loses_and_repeats_nothing(
    steps: list[str],
) -> None:
    model = Model(Settings(hold_ms=0, budget=None))
    cut = Wire(how="cut_body", acted=True, count=1)
    cursor, got = "", []
    for step in [*steps, "poll"]:
        if step == "say":
            model.say(str(len(model.peer.inbound)))
            continue
        if step == "cut":
            model.arm(cut)
        reply = model.poll(cursor)
        if reply.transport is None:
            cursor = cursor_of(reply)
            got += texts(reply)
    assert got == [str(nth) for nth in range(len(model.peer.inbound))]


def test_the_model_needs_no_network_library() -> None:
    blocked = "trio", "httpx", "h11", "holdfast.core", "holdfast.io"
    code = (
        f"import sys; sys.modules.update(dict.fromkeys({blocked}));"
        "import holdfast.replay.world.weixin"
    )
    subprocess.run([sys.executable, "-c", code], check=True)  # noqa: S603 - our own text


def test_the_log_keeps_the_newest_and_counts_all() -> None:
    model = Model(Settings(log_max=2, hold_ms=0))
    for _ in range(3):
        model.poll()
    assert [entry.number for entry in model.peer.log] == [2, 3]
    assert model.peer.calls == 3
    assert model.last.body == polling()
    assert model.last.headers["authorization"] == f"Bearer {model.peer.token}"
    assert (model.last.status, model.last.outcome) == (200, "answered")


def test_the_whole_state_survives_json() -> None:
    model = Model()
    model.hold()
    model.say()
    model.peer = weixin.expire_context(model.peer, 0, USER)
    model.send(context_token=CONTEXT)
    copy = msgspec.json.decode(msgspec.json.encode(model.peer), type=Peer)
    assert copy == model.peer
