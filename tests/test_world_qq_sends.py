"""Sends on the simulated QQ platform: windows, counts, numbers, codes, proactive."""

from typing import Any
from urllib.parse import quote

import pytest
from qq_model import C2C_PATH, Model

from holdfast.replay.world import qq
from holdfast.replay.world.qq_faults import Answer, Suppress
from holdfast.replay.world.qq_say import CHANNEL, DM_GUILD, GROUP, USER
from holdfast.replay.world.qq_settings import PROACTIVE, Passive, Proactive, Settings

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
CHAT = f"c2c:{USER}"
GROUP_PATH = f"/v2/groups/{GROUP}/messages"


def logged_in(settings: Settings | None = None) -> Model:
    model = Model(settings)
    model.log_in()
    return model


def test_a_reply_is_shown_and_has_the_fields_of_the_sheet() -> None:
    model = logged_in()
    asked = model.say()
    answer = model.send("hi there", msg_id=asked)
    assert answer["id"].startswith("ROBOT1.0_")
    assert answer["timestamp"] == "1970-01-01T08:00:00+08:00"
    assert answer["ext_info"]["ref_idx"].startswith("REFIDX_")
    shown = model.peer.shown[CHAT][0]
    assert (shown.text, shown.reply_to) == ("hi there", asked)
    assert model.peer.counts.sends == 1


def test_a_number_is_good_once_per_message() -> None:
    model = logged_in()
    asked, other = model.say(), model.say()
    codes = [
        model.send(msg_id=asked, msg_seq=1).get("code"),
        model.send(msg_id=asked).get("code"),
        model.send(msg_id=asked, msg_seq=2).get("code"),
        model.send(msg_id=other, msg_seq=1).get("code"),
    ]
    assert codes == [None, 40054005, None, None]
    assert len(model.peer.shown[CHAT]) == 3


def test_a_used_number_is_told_even_when_nothing_is_left() -> None:
    model = logged_in()
    asked = model.say()
    for seq in range(1, 5):
        assert "id" in model.send(msg_id=asked, msg_seq=seq)
    assert model.send(msg_id=asked, msg_seq=5)["code"] == 40034128
    assert model.send(msg_id=asked, msg_seq=4)["code"] == 40054005


@pytest.mark.parametrize(
    ("place", "path", "window_ms", "code"),
    [
        ("c2c", C2C_PATH, HOUR_MS, 40034128),
        ("group", GROUP_PATH, 5 * MINUTE_MS, 40034005),
        ("channel", f"/channels/{CHANNEL}/messages", 5 * MINUTE_MS, 304027),
        ("dm", f"/dms/{DM_GUILD}/messages", 5 * MINUTE_MS, 304027),
    ],
)
def test_a_window_ends_by_the_clock_of_the_platform(
    place: str, path: str, window_ms: int, code: int
) -> None:
    model = logged_in(Settings(channel_needs_socket=False))
    asked = model.say(place=place)
    body = {"msg_type": 0, "content": "x", "msg_id": asked}
    model.wait(window_ms - 1)
    assert "id" in model.ask("POST", path, body | {"msg_seq": 1})
    model.wait(1)
    assert model.ask("POST", path, body | {"msg_seq": 2})["code"] == code


def test_windows_and_counts_are_settings() -> None:
    passive = Passive(MINUTE_MS, 1, late=22009, spent=1)
    model = logged_in(Settings(passive={"c2c": passive}))
    asked = model.say()
    model.send(msg_id=asked, msg_seq=1)
    assert model.send(msg_id=asked, msg_seq=2)["code"] == 1
    model.wait(MINUTE_MS)
    assert model.send(msg_id=asked, msg_seq=2)["code"] == 22009


def test_a_reply_must_name_what_a_user_said() -> None:
    model = logged_in()
    own = model.send(msg_id=model.say())["id"]
    assert model.send(msg_id=own)["code"] == 40034024
    assert model.send(event_id="unheard of")["code"] == 40034025


def test_an_event_can_be_replied_to_and_with_a_number_it_is_proactive() -> None:
    model = logged_in()
    model.happen("C2C_MSG_RECEIVE", openid=USER, timestamp=1)
    event_id = model.peer.reply_to
    assert "id" in model.send(event_id=event_id)
    assert len(model.peer.proactive_ms) == 0
    assert "id" in model.send(event_id=event_id, msg_seq=1)
    assert len(model.peer.proactive_ms) == 1


def test_typing_uses_up_a_reply() -> None:
    typing = {"msg_type": 6, "input_notify": {"input_type": 1, "input_second": 60}}
    for counts, code in ((True, 40034128), (False, None)):
        model = logged_in(Settings(typing_counts=counts))
        asked = model.say()
        assert "id" in model.ask("POST", C2C_PATH, typing | {"msg_id": asked})
        codes = [
            model.send(msg_id=asked, msg_seq=seq).get("code") for seq in range(2, 6)
        ]
        assert codes[-1] == code
        assert all("hi" in shown.text for shown in model.peer.shown[CHAT])


def test_a_channel_needs_a_socket() -> None:
    model = logged_in()
    path = f"/channels/{CHANNEL}/messages"
    body = {"content": "x", "msg_id": model.say(place="channel")}
    assert model.ask("POST", path, body)["code"] == 304018
    model.ready()
    answer = model.ask("POST", path, body)
    assert answer["channel_id"] == CHANNEL
    assert model.peer.shown[f"channel:{CHANNEL}"][0].text == "x"


def test_proactive_messages_have_limits() -> None:
    model = logged_in()
    codes = [model.send().get("code") for _ in range(6)]
    assert codes == [None] * 5 + [22009]
    for _ in range(3):
        model.wait(1_000)
        codes = [model.send().get("code") for _ in range(5)]
    assert codes == [None] * 5
    model.wait(1_000)
    assert model.send()["code"] == 22009
    model.wait(MINUTE_MS)
    assert "id" in model.send()


def test_proactive_messages_may_be_off() -> None:
    model = logged_in(Settings(proactive={"c2c": Proactive(allowed=False)}))
    assert model.send()["code"] == 40034105
    assert PROACTIVE["channel"].chat_day == 20


@pytest.mark.parametrize(
    ("path", "body", "code"),
    [
        (C2C_PATH, {"msg_type": 0}, 50006),
        (C2C_PATH, {"msg_type": 0, "content": 7}, 50006),
        (C2C_PATH, {"msg_type": 0, "content": "x" * 11}, 40054007),
        (C2C_PATH, {"msg_type": 2, "markdown": {"content": "x"}}, None),
        (C2C_PATH, {"msg_type": 2, "markdown": {}}, 50006),
        (C2C_PATH, {"msg_type": 3, "ark": {}}, None),
        (C2C_PATH, {"msg_type": 6}, 50059),
        (C2C_PATH, {"msg_type": 7, "media": {"file_info": "x"}}, None),
        (C2C_PATH, {"msg_type": 7}, 50006),
        (C2C_PATH, {}, 50006),
        (C2C_PATH, None, 50006),
        (f"/dms/{DM_GUILD}/messages", {}, 50006),
        (f"/dms/{DM_GUILD}/messages", {"image": "x"}, None),
    ],
)
def test_the_shape_of_a_message_is_checked(path: str, body: Any, code: int) -> None:
    model = logged_in(Settings(text_max=10))
    assert model.ask("POST", path, body).get("code") == code


def test_a_message_can_be_recalled_within_two_minutes() -> None:
    model = logged_in()
    message_id = model.send()["id"]
    path = f"{C2C_PATH}/{quote(message_id, safe='')}"
    assert model.raw("DELETE", path).status == 200
    assert model.peer.recalled == (message_id,)
    model.wait(2 * MINUTE_MS)
    assert model.ask("DELETE", path)["code"] == 40064004


def test_sends_are_lost_in_the_time_after_a_lost_connection() -> None:
    model = Model()
    number = model.ready()
    model.arm(Suppress(from_loss_ms=55_000, loss_ms=150_000))
    model.send("before")
    model.become(qq.close(model.peer, model.at_ms, 4009))
    assert model.ends(number) == [4009]
    for text in ("soon", "lost", "later"):
        assert "id" in model.send(text)
        model.wait(75_000)
    model.arm(Suppress(count=1))
    model.send("lost too")
    assert [shown.text for shown in model.peer.shown[CHAT]] == [
        "before",
        "soon",
        "later",
    ]


def test_an_accepted_send_whose_answer_is_lost_says_so_on_the_retry() -> None:
    model = logged_in()
    model.arm(Answer(at="send", wire="reset_before_headers", acted=True, count=1))
    body = {"msg_type": 0, "content": "once", "msg_id": model.say(), "msg_seq": 1}
    broken = model.raw("POST", C2C_PATH, body)
    assert broken.transport is not None
    assert model.ask("POST", C2C_PATH, body)["code"] == 40054005
    assert [shown.text for shown in model.peer.shown[CHAT]] == ["once"]
