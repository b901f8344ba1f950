"""What the healthy Weixin peer makes of sends, and of the calls around typing."""

import pytest
from weixin_client import Model, about, fields

from holdfast.replay.world import weixin
from holdfast.replay.world.weixin_inbound import USER, Copy
from holdfast.replay.world.weixin_settings import HOUR_MS, Burst, Settings, Strict

CONTEXT = "context-1"
REFUSED = {"ret": -2, "errmsg": "prepare failed"}


def test_a_send_is_shown_and_answered_with_an_id_over_53_bits() -> None:
    model = Model()
    model.say()
    model.at_ms = 9
    answer = model.send("hi", context_token=CONTEXT)
    (shown,) = model.peer.shown[USER]
    assert answer == {"ret": 0, "message_id": shown.message_id}
    assert shown.message_id > 2**53
    assert (shown.at_ms, shown.client_id, shown.text) == (9, "test-hi", "hi")


def test_a_user_who_never_wrote_cannot_be_written_to() -> None:
    assert Model().send() == REFUSED
    assert Model(Settings(needs_inbound=False)).send()["ret"] == 0


def test_the_eleventh_send_is_refused_until_the_user_writes_again() -> None:
    model = Model()
    model.say()
    answers = [model.send(str(n)) for n in range(11)]
    assert [answer["ret"] for answer in answers] == [0] * 10 + [-2]
    model.peer = weixin.repeat(model.peer, 1, Copy(ids="fresh"))
    assert model.send() == REFUSED, "a duplicate is nothing new from the user"
    model.say()
    assert model.send()["ret"] == 0


def test_a_daily_budget_ends_24_h_after_the_first_send() -> None:
    model = Model(Settings(day_budget=5))
    model.say()
    assert [model.send()["ret"] for _ in range(6)] == [0] * 5 + [-2]
    model.at_ms = 24 * HOUR_MS
    assert model.send()["ret"] == 0


def test_the_window_closes_24_h_after_the_users_last_message() -> None:
    model = Model()
    model.say()
    model.at_ms = 24 * HOUR_MS - 60_000
    assert model.send()["ret"] == 0
    model.at_ms = 24 * HOUR_MS + 60_000
    assert model.send() == REFUSED


def test_a_burst_silences_the_bot_and_each_try_prolongs_it() -> None:
    model = Model(Settings(burst=Burst()))
    model.say()
    assert [model.send()["ret"] for _ in range(3)] == [0, 0, -2]
    for minute, answer in ((59, -2), (118, -2), (178, 0)):
        model.at_ms = minute * 60_000
        assert model.send()["ret"] == answer


def test_a_long_text_is_refused_like_any_other() -> None:
    model = Model(Settings(refusal_text=None))
    model.say()
    assert model.send("x" * 6_000)["ret"] == 0
    assert model.send("x" * 6_001) == {"ret": -2}


@pytest.mark.parametrize("user", [USER.lower(), f"user:{USER}", ""])
def test_a_user_id_in_the_wrong_form_is_an_invalid_argument(user: str) -> None:
    model = Model()
    model.say()
    answer = model.send(to_user_id=user)
    assert answer == {"ret": -3, "errmsg": "invalid arguments"}


def test_voice_is_accepted_and_never_shown() -> None:
    model = Model()
    model.say()
    assert model.send(item_list=[{"type": 3, "voice_item": {}}])["ret"] == 0
    assert model.shown() == []


def test_a_client_id_may_be_made_to_count_once() -> None:
    for dedupe, shown in ((True, 1), (False, 2)):
        model = Model(Settings(dedupe_client_id=dedupe))
        model.say()
        first, second = model.send("hi"), model.send("hi")
        assert (first == second) is dedupe
        assert len(model.shown()) == shown


def test_only_the_first_reply_without_the_required_fields_may_be_shown() -> None:
    model = Model(Settings(first_reply_only=True, strict=Strict.off()))
    model.say()
    assert [model.send(text, client_id=None) for text in "ab"] == [{}, {}]
    assert model.shown() == ["a"]


def test_a_typing_ticket_needs_a_message_of_the_user_and_may_expire() -> None:
    model = Model(Settings(ticket_ms=1_000))
    refused = fields(model.reply("getconfig", about()))
    assert refused == {"ret": -4, "errmsg": "GetTypingTicket rpc failed"}
    model.say()
    ticket = fields(model.reply("getconfig", about()))["typing_ticket"]
    typing = about(typing_ticket=ticket, status=1)
    assert fields(model.reply("sendtyping", typing)) == {"ret": 0}
    model.at_ms = 1_001
    assert fields(model.reply("sendtyping", typing))["ret"] == -3
