"""Sends of QQ: requests byte by byte as the sheet says, answers unread."""

import msgspec
import pytest
from qq_rig import (
    ACCESS,
    Call,
    answered,
)
from shell_rig import answer

from holdfast.core.commands import Send
from holdfast.core.events import Event, SendAnswered
from holdfast.io.qq import wire
from holdfast.io.vault import BODY, CONTEXT

OPENID = "0A1B2C3D4E5F60718293A4B5C6D7E8F9"
MESSAGE = "ROBOT1.0_Ex4mple.C2C-0001_a!"
HTML = answer(b"<html>Bad Gateway</html>", status="502 Bad Gateway")
TRACE = "X-Tps-trace-ID: 9f00aa"


async def sent(
    reply: bytes,
    peer: str = f"c2c:{OPENID}",
    context: bytes = b"",
    number: int = 0,
    calls: list[Call] | None = None,
) -> Event:
    async with answered(reply, [] if calls is None else calls) as it:
        body = it.keep(BODY, "hi, 你好")
        handle = it.keep(CONTEXT, context) if context else ""
        command = Send(
            delivery=12,
            part=1,
            peer=peer,
            body=body,
            client_id="x",
            credential=it.token,
            context=handle,
            timeout_ms=5_000,
            number=number,
        )
        draft = await it.peer.perform(command)
        it.events += draft.events
    (event,) = draft.events
    return event


@pytest.mark.parametrize(
    ("peer", "path"),
    [
        (f"c2c:{OPENID}", f"/v2/users/{OPENID}/messages"),
        ("group:F0/../D", "/v2/groups/F0%2F..%2FD/messages"),
        ("guild:100010", "/channels/100010/messages"),
        ("dm:ü?#", "/dms/%C3%BC%3F%23/messages"),
    ],
)
async def test_each_target_has_its_path(peer: str, path: str) -> None:
    calls: list[Call] = []
    event = await sent(answer(b'{"id":"OUT-1"}'), peer, calls=calls)
    assert event == SendAnswered(12, 1, message_id="OUT-1")
    (call,) = calls
    assert call.line == f"POST {path} HTTP/1.1"
    assert call.headers["authorization"] == f"QQBot {ACCESS}"


@pytest.mark.parametrize(
    ("peer", "context", "number", "said"),
    [
        ("c2c:A", b"", 0, {"msg_type": 0}),
        (
            "c2c:A",
            wire.reply_context(MESSAGE),
            3,
            {"msg_type": 0, "msg_id": MESSAGE, "msg_seq": 3},
        ),
        (
            "group:A",
            wire.event_context("FRIEND_ADD:x"),
            1,
            {"msg_type": 0, "event_id": "FRIEND_ADD:x"},
        ),
        ("group:A", wire.reply_context("m"), 0, {"msg_type": 0, "msg_id": "m"}),
        ("guild:1", wire.reply_context("m"), 2, {"msg_id": "m"}),
        ("dm:1", b"", 2, {}),
    ],
)
async def test_a_send_says_what_it_answers(
    peer: str, context: bytes, number: int, said: dict[str, object]
) -> None:
    calls: list[Call] = []
    await sent(answer(b"{}"), peer, context, number, calls)
    assert msgspec.json.decode(calls[0].body) == {"content": "hi, 你好"} | said


@pytest.mark.parametrize(
    ("reply", "event"),
    [
        (HTML, SendAnswered(12, 1, status=502, malformed="any words")),
        (
            b"HTTP/1.1 204 No Content\r\n\r\n",
            SendAnswered(12, 1, status=204),
        ),
        (
            answer(
                b'{"code":304023,"message":"audit","data":{"message_audit":{}}}',
                TRACE,
                status="202 Accepted",
            ),
            SendAnswered(
                12, 1, status=202, code=304_023, errmsg="audit", trace="9f00aa"
            ),
        ),
        (
            answer(b'{"code":"40034128","err_code":1,"message":"spent"}'),
            SendAnswered(12, 1, code=40_034_128, err_code=1, errmsg="spent"),
        ),
    ],
)
async def test_an_answer_to_a_send_is_kept_as_it_is(
    reply: bytes, event: SendAnswered
) -> None:
    found = await sent(reply)
    assert isinstance(found, SendAnswered)
    if event.malformed:
        assert found.malformed
        event = msgspec.structs.replace(event, malformed=found.malformed)
    assert found == event


async def test_words_that_repeat_what_we_said_are_masked() -> None:
    said = f"bad: {ACCESS}, hi, 你好, {MESSAGE}"
    body = msgspec.json.encode({"code": 1, "message": said})
    event = await sent(answer(body), context=wire.reply_context(MESSAGE), number=1)
    assert isinstance(event, SendAnswered)
    assert event.errmsg == "bad: …, …, …"
