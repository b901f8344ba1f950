"""Calls of QQ: requests byte by byte as the sheet says, answers unread in facts."""

import msgspec
import pytest
from qq_rig import (
    ACCESS,
    APP_ID,
    EPOCH,
    SECRET,
    Call,
    answered,
    answering,
    desk,
)
from shell_rig import NOWHERE, answer
from test_qq_sends import sent
from trio.testing import MockClock

from holdfast.core.commands import FetchGateway, FetchToken, Poll, Send
from holdfast.core.events import Event, SendAnswered, SendFailed
from holdfast.core.qq_events import (
    GatewayAnswered,
    GatewayFailed,
    TokenAnswered,
    TokenFailed,
)
from holdfast.io.vault import BODY

OPENID = "0A1B2C3D4E5F60718293A4B5C6D7E8F9"
MESSAGE = "ROBOT1.0_Ex4mple.C2C-0001_a!"
HTML = answer(b"<html>Bad Gateway</html>", status="502 Bad Gateway")
TRACE = "X-Tps-trace-ID: 9f00aa"


async def token_for(reply: bytes, calls: list[Call] | None = None) -> Event:
    async with answered(reply, [] if calls is None else calls) as it:
        draft = await it.peer.perform(FetchToken(it.login, 5_000))
        it.events += draft.events
        (event,) = draft.events
        if isinstance(event, TokenAnswered) and event.token:
            assert it.vault.token(event.token) == ACCESS
    return event


async def gateway_for(reply: bytes, calls: list[Call] | None = None) -> Event:
    async with answered(reply, [] if calls is None else calls) as it:
        draft = await it.peer.perform(FetchGateway(EPOCH, it.token, 5_000))
        it.events += draft.events
    (event,) = draft.events
    return event


# The access token.


async def test_the_token_is_asked_for_with_id_and_secret() -> None:
    calls: list[Call] = []
    body = f'{{"access_token":"{ACCESS}","expires_in":"3261"}}'.encode()
    event = await token_for(answer(body, TRACE), calls)
    assert isinstance(event, TokenAnswered)
    assert (event.expires_in, event.trace, event.status) == ("3261", "9f00aa", 200)
    assert event.token.startswith("access-")
    (call,) = calls
    assert call.line == "POST /app/getAppAccessToken HTTP/1.1"
    assert call.headers["content-type"] == "application/json"
    assert msgspec.json.decode(call.body) == {"appId": APP_ID, "clientSecret": SECRET}


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("7200", "7200"),
        ('"0"', "0"),
        ('"soon"', "soon"),
        ("null", ""),
        ("12.5", "12.5"),
        ('{"a":1}', '{"a":1}'),
    ],
)
async def test_what_the_peer_says_of_a_tokens_life_is_kept_as_text(
    given: str, kept: str
) -> None:
    body = f'{{"access_token":"{ACCESS}","expires_in":{given}}}'.encode()
    event = await token_for(answer(body))
    assert isinstance(event, TokenAnswered)
    assert event.expires_in == kept


async def test_a_refused_secret_comes_with_status_200_and_is_not_judged() -> None:
    body = f'{{"code":"100016","message":"invalid appid or secret {SECRET}"}}'
    event = await token_for(answer(body.encode()))
    assert isinstance(event, TokenAnswered)
    assert (event.status, event.code, event.token) == (200, 100_016, "")
    assert event.message == "invalid appid or secret …"


@pytest.mark.parametrize("token", ["", "a b", "line\\nfeed", "ü", "x" * 5_000])
async def test_what_fits_into_no_header_is_no_token(token: str) -> None:
    event = await token_for(answer(f'{{"access_token":"{token}"}}'.encode()))
    assert isinstance(event, TokenAnswered)
    assert event.token == ""


@pytest.mark.parametrize("body", [b"<html>", b"[1]", b'"x"', b"\xff", b'{"code":"x"}'])
async def test_an_answer_that_is_none_says_why(body: bytes) -> None:
    for event in (
        await token_for(answer(body)),
        await gateway_for(answer(body)),
        await sent(answer(body)),
    ):
        assert isinstance(event, TokenAnswered | GatewayAnswered | SendAnswered)
        assert event.malformed


async def test_without_an_answer_the_kind_of_failure_is_told() -> None:
    async with desk(NOWHERE) as it:
        body = it.keep(BODY, "hi")
        send = Send(1, 0, "dm:7", body, "x", it.token, timeout_ms=5_000)
        for command in (
            FetchToken(it.login, 5_000),
            FetchGateway(EPOCH, it.token, 5_000),
            send,
        ):
            it.events += (await it.peer.perform(command)).events
    token, address, part = it.events
    assert isinstance(token, TokenFailed)
    assert isinstance(address, GatewayFailed)
    assert isinstance(part, SendFailed)
    assert (token.kind, address.kind, part.kind, part.left) == (
        "connect",
        "connect",
        "connect",
        False,
    )


# The gateway's address.


async def test_the_address_comes_with_what_is_left_to_identify() -> None:
    calls: list[Call] = []
    body = (
        b'{"url":"wss://api.bot.qq.com/websocket/","shards":"1","session_start_limit":'
        b'{"total":1000,"remaining":998,"reset_after":14400000,"max_concurrency":1}}'
    )
    event = await gateway_for(answer(body), calls)
    assert event == GatewayAnswered(
        EPOCH,
        url="wss://api.bot.qq.com/websocket/",
        shards=1,
        total=1000,
        remaining=998,
        reset_after_ms=14_400_000,
        max_concurrency=1,
    )
    (call,) = calls
    assert call.line == "GET /gateway/bot HTTP/1.1"
    assert call.headers["authorization"] == f"QQBot {ACCESS}"
    assert call.headers["x-union-appid"] == APP_ID
    assert call.body == b""


async def test_a_refused_address_keeps_both_codes_and_the_trace() -> None:
    body = b'{"message":"no","code":11298,"err_code":40023002,"trace_id":"ab12"}'
    reply = answer(body, TRACE, status="401 Unauthorized")
    event = await gateway_for(reply)
    assert event == GatewayAnswered(
        EPOCH,
        status=401,
        code=11_298,
        err_code=40_023_002,
        message="no",
        trace="ab12",
    )


async def test_a_command_for_another_platform_is_a_bug() -> None:
    async with desk() as it:
        with pytest.raises(AssertionError, match="Poll asks nothing of this peer"):
            await it.peer.perform(Poll(1, it.login))


async def test_a_call_has_one_deadline(autojump_clock: MockClock) -> None:
    cut = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"
    async with answering(cut) as url, desk(url) as it:
        (event,) = (await it.peer.perform(FetchToken(it.login, 5_000))).events
    assert isinstance(event, TokenFailed)
    assert event.kind == "timeout"
    assert autojump_clock.current_time() == pytest.approx(5, abs=0.1)
