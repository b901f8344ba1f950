"""Access tokens, the start quota, and the calls of the QQ platform over HTTP."""

import json

import pytest
from qq_model import LOGIN_PATH, Model

from holdfast.replay.world import qq
from holdfast.replay.world.qq_say import USER
from holdfast.replay.world.qq_settings import HOUR_MS, Settings
from holdfast.replay.world.wire import Request


def test_a_token_stays_the_same_until_its_last_minute_then_two_are_good() -> None:
    model = Model()
    first = model.log_in()
    assert first["expires_in"] == "7200"
    model.wait(7_139_000)
    assert model.log_in() == first | {"expires_in": "61"}
    model.wait(1_000)
    second = model.log_in()
    assert second["access_token"] != first["access_token"]
    assert second["expires_in"] == "7200"
    model.token = first["access_token"]
    assert "url" in model.ask("GET", "/gateway")
    model.wait(60_000)
    assert model.ask("GET", "/gateway")["code"] == 11244
    model.token = second["access_token"]
    assert "url" in model.ask("GET", "/gateway")


def test_a_wrong_secret_is_an_error_with_status_200() -> None:
    model = Model()
    asked = {"appId": model.peer.settings.app_id, "clientSecret": "wrong"}
    reply = model.raw("POST", LOGIN_PATH, asked)
    assert (reply.status, json.loads(reply.body)["code"]) == (200, 100016)


@pytest.mark.parametrize(
    ("authorization", "code"),
    [("", 11241), ("Bot 1.2", 11245), ("Bearer x", 11242), ("QQBot x", 11244)],
)
def test_a_call_without_a_good_token_is_refused(authorization: str, code: int) -> None:
    headers = (("authorization", authorization),)
    peer, reply = qq.answer(qq.new_qq(), 0, Request("GET", "/gateway", headers))
    body = json.loads(reply.body)
    assert (reply.status, body["code"], body["err_code"]) == (401, code, code)
    assert ("X-Tps-trace-ID", body["trace_id"]) in reply.headers
    assert peer.log[-1].name == "gateway"


def test_a_refused_token_may_come_without_a_code() -> None:
    model = Model(Settings(token_refusal=None))
    reply = model.raw("GET", "/gateway")
    assert reply.status == 401
    assert "code" not in json.loads(reply.body)


def test_the_gateway_call_counts_the_starts_that_are_left() -> None:
    model = Model(Settings(quota=2))
    model.ready()
    limit = model.ask("GET", "/gateway/bot")["session_start_limit"]
    assert (limit["total"], limit["remaining"]) == (2, 1)
    assert limit["reset_after"] == 24 * HOUR_MS
    model.identify(model.dial())
    model.identify(number := model.dial())
    assert model.ops(number) == [10, 9]
    assert model.ends(number) == [4903]
    assert any("quota" in words for words in model.peer.violations)
    model.wait(24 * HOUR_MS)
    model.log_in()
    limit = model.ask("GET", "/gateway/bot")["session_start_limit"]
    assert limit["remaining"] == 2


def test_too_many_gateway_calls_are_refused_for_a_minute() -> None:
    model = Model(Settings(gateway_calls_max=2))
    model.log_in()
    codes = [model.ask("GET", "/gateway").get("code") for _ in range(3)]
    assert codes == [None, None, 100017]
    model.wait(60_000)
    assert "url" in model.ask("GET", "/gateway")


def test_other_calls() -> None:
    model = Model()
    model.log_in()
    assert model.ask("GET", "/users/@me")["id"] == model.peer.settings.bot_id
    assert "guild_id" in model.ask("POST", "/users/@me/dms", {"recipient_id": "1"})
    assert model.raw("GET", "/nowhere").status == 404
    model.happen("INTERACTION_CREATE", id="abc", user_openid=USER)
    assert model.raw("PUT", "/interactions/abc", {"code": 0}).status == 200
    assert model.raw("PUT", "/interactions/abc", {"code": 0}).status == 404
