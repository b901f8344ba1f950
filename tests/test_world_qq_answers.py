"""Faults of the QQ platform's HTTP answers, tokens, quota; scripts."""

import json
from typing import Any

import pytest
from qq_model import C2C_PATH, LOGIN_PATH, Model

from holdfast.replay.world import qq
from holdfast.replay.world.faults import ScriptError
from holdfast.replay.world.qq_faults import (
    Answer,
    Outage,
    Quota,
    Silence,
    Token,
    decode_script,
)
from holdfast.replay.world.qq_say import GROUP, USER
from holdfast.replay.world.qq_settings import Settings


@pytest.mark.parametrize(
    ("fault", "status", "fields"),
    [
        (Answer(at="token", code=100001), 200, {"code": 100001}),
        (
            Answer(at="token", acted=True, set={"expires_in": 60}),
            200,
            {"expires_in": 60},
        ),
        (Answer(at="token", acted=True, drop=("expires_in",)), 200, {}),
        (Answer(at="gateway", code=100017, status=429), 429, {"code": 100017}),
        (
            Answer(at="gateway", status=401, code=11298, err_code=40023002),
            401,
            {"code": 11298, "err_code": 40023002},
        ),
        (
            Answer(at="gateway", acted=True, set={"url": "wss://elsewhere.example/"}),
            200,
            {"url": "wss://elsewhere.example/"},
        ),
        (
            Answer(at="c2c", code=40034128),
            400,
            {"code": 40034128, "message": "refused"},
        ),
        (
            Answer(
                at="send",
                status=202,
                code=304023,
                set={"data": {"message_audit": {"audit_id": "1"}}},
            ),
            202,
            {"code": 304023, "data": {"message_audit": {"audit_id": "1"}}},
        ),
        (Answer(at="send", status=200, code=22009), 200, {"code": 22009}),
        (Answer(at="send", acted=True, drop=("id",)), 200, {}),
        (Answer(chat=f"c2c:{USER}", code=50006), 400, {"code": 50006}),
    ],
)
def test_an_answer_is_bent_as_the_fault_says(
    fault: Answer, status: int, fields: dict[str, Any]
) -> None:
    model = Model()
    model.log_in()
    model.arm(fault)
    settings = model.peer.settings
    secret = {"appId": settings.app_id, "clientSecret": settings.secret}
    calls: dict[str, tuple[str, str, dict[str, Any] | None]] = {
        "token": ("POST", LOGIN_PATH, secret),
        "gateway": ("GET", "/gateway", None),
    }
    send = ("POST", C2C_PATH, {"msg_type": 0, "content": "x"})
    reply = model.raw(*calls.get(fault.at, send))
    found = json.loads(reply.body)
    assert reply.status == status
    assert found | fields == found
    assert not set(fault.drop) & set(found)
    assert model.last.faults == ("answer",)


def test_a_page_of_html_and_a_late_answer() -> None:
    model = Model()
    model.log_in()
    model.arm(
        Answer(status=502, body="<html>", headers={"Retry-After": "5"}, delay_ms=99)
    )
    reply = model.raw("GET", "/gateway")
    assert (reply.status, reply.body, reply.delay_ms) == (502, b"<html>", 99)
    assert {("Content-Type", "text/html"), ("Retry-After", "5")} < {*reply.headers}


def test_a_fault_of_one_chat_leaves_the_others_alone() -> None:
    model = Model()
    model.log_in()
    model.arm(Answer(at="send", chat=f"group:{GROUP}", code=1))
    assert "id" in model.send()


def test_the_second_part_may_be_refused() -> None:
    model = Model()
    model.log_in()
    asked = model.say()
    model.arm(Answer(at="c2c", skip=1, count=1, code=40034128))
    codes = [model.send(msg_id=asked, msg_seq=seq).get("code") for seq in (1, 2, 3)]
    assert codes == [None, 40034128, None]


def test_refusing_closes_the_door_as_well() -> None:
    model = Model()
    model.arm(Answer(wire="refuse", for_ms=5_000, count=1))
    model.raw("GET", "/gateway")
    assert not qq.is_listening(model.peer, 0)
    assert qq.is_listening(model.peer, 5_000)


def test_a_token_dies_while_the_socket_lives() -> None:
    model = Model()
    number = model.ready()
    model.arm(Token(from_ms=1_000))
    model.wait(1_000)
    assert model.send()["code"] == 11244
    assert model.ends(number) == []
    assert model.log_in()["expires_in"] == "7200"
    assert "id" in model.send()
    model.arm(Token(closing=True))
    assert model.ends(number) == [4004]


def test_a_dead_token_opens_no_session_but_a_new_one_resumes_it() -> None:
    model = Model()
    model.become(qq.leave(model.ready_peer(), 0, 1))
    model.become(qq.drop_tokens(model.peer, 0))
    refused = model.dial()
    model.resume(refused, 1)
    assert model.ends(refused) == [4004]
    model.log_in()
    again = model.dial()
    model.resume(again, 1)
    assert model.ops(again) == [10, "RESUMED"]


def test_the_same_token_comes_back_in_its_last_minute() -> None:
    model = Model()
    model.arm(Token(kind="sticky"))
    first = model.log_in()["access_token"]
    model.wait(7_195_000)
    assert model.log_in() == {"access_token": first, "expires_in": "5"}
    model.wait(5_000)
    assert model.log_in()["access_token"] != first


def test_a_spent_quota_refuses_until_it_resets() -> None:
    model = Model()
    model.arm(Quota(left=0, reset_after_ms=60_000))
    model.log_in()
    limit = model.ask("GET", "/gateway/bot")["session_start_limit"]
    assert (limit["remaining"], limit["reset_after"]) == (0, 60_000)
    model.identify(number := model.dial())
    assert model.ends(number) == [4903]
    model.wait(60_000)
    model.identify(number := model.dial())
    assert model.ops(number) == [10, "READY"]


def test_an_outage_resets_all_and_may_lose_the_sessions() -> None:
    model = Model()
    number = model.ready()
    model.arm(Outage(from_ms=1_000, to_ms=5_000, lose_sessions=True))
    model.wait(1_000)
    assert model.ends(number) == ["reset"]
    assert not qq.is_listening(model.peer, model.at_ms)
    assert qq.wake_ms(model.peer, model.at_ms) == 5_000
    model.wait(4_000)
    again = model.dial()
    model.resume(again, 1)
    assert model.ops(again) == [10, 9]


def test_a_script_brings_settings_faults_says_and_events() -> None:
    script = decode_script(
        """{"settings": {"recycle_ms": null, "held_max": 9},
            "faults": [{"type": "answer", "at": "token", "code": 100001, "to_ms": 5}],
            "says": [{"after_ms": 1000, "text": "hello {n}", "times": 2}],
            "events": [{"after_ms": 2000, "name": "FRIEND_ADD", "data": {}}]}"""
    )
    model = Model()
    model.peer = qq.new_qq(script=script)
    assert model.log_in()["code"] == 100001
    model.wait(3_000)
    number = model.ready()
    contents = [told["d"].get("content") for told in model.frames(number)[2:]]
    assert contents == ["hello 0", "hello 1", None]
    assert model.peer.settings == Settings(recycle_ms=None, held_max=9)


@pytest.mark.parametrize(
    "document",
    [
        "nonsense",
        '{"faults": [{"type": "unheard of"}]}',
        '{"faults": [{"type": "closing", "code": 1}]}',
        '{"faults": [{"type": "outage", "count": 1}]}',
        '{"faults": [{"type": "freeze"}]}',
        '{"faults": [{"type": "answer", "every": 0}]}',
    ],
)
def test_what_is_no_script_is_refused(document: str) -> None:
    with pytest.raises(ScriptError):
        decode_script(document)


def test_healing_takes_one_type_or_all_off_the_clock() -> None:
    model = Model()
    model.arm(Answer(code=1))
    model.arm(Silence(from_ms=10))
    model.peer = qq.heal(model.peer, 0, Answer)
    assert [type(armed.fault) for armed in model.peer.armed] == [Silence]
    model.peer = qq.heal(model.peer, 0)
    assert model.peer.armed == ()
