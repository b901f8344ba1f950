"""The iLink client at the strict peer: sends, typing, coming and going, headers."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
import trio
from peer_rig import POLL_MS, Desk, Later, seated
from shell_rig import NOWHERE, account, answer, online, raw_server, read_request
from trio.testing import MockClock

from holdfast.core.commands import (
    Command,
    NotifyStart,
    NotifyStop,
    Poll,
    ReloadCredentials,
    SetTimer,
)
from holdfast.core.events import (
    NotifyAnswered,
    NotifyFailed,
    SendAnswered,
    SendFailed,
)
from holdfast.io.credentials import Credentials
from holdfast.io.draft import Draft
from holdfast.io.http import Failure, make_tls_context
from holdfast.io.vault import Vault
from holdfast.io.weixin.peer import SMALL_CALL_MS, Typing, open_peer
from holdfast.replay.world.weixin_faults import (
    Code,
    Fields,
    Garbage,
    HttpStatus,
    Suppress,
    Wire,
)
from holdfast.replay.world.weixin_inbound import USER
from holdfast.replay.world.weixin_settings import Settings, Strict

FULL_TOKEN = "b1c2d3e4f5a6@im.bot:06"  # noqa: S105 - invented.
OTHER_TOKEN = "c1d2e3f4a5b6@im.bot:0600ee55ff667788"  # noqa: S105 - invented.
NO_TICKET = Typing(200, -4, "GetTypingTicket rpc failed")
SESSION_TIMEOUT: dict[str, Any] = {"errcode": -14, "errmsg": "session timeout"}


async def test_an_accepted_send_is_shown_and_has_the_peers_id(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    strict = Settings(strict=Strict(context_known=True))
    async with seated(autojump_clock, tmp_path, strict) as desk:
        said = desk.served.say()
        draft = await desk.send("你好 🐚", said.wire["context_token"])
        (shown,) = desk.served.peer.shown[USER]
        assert shown.text == "你好 🐚"
        answered = SendAnswered(12, 1, ret=0, message_id=str(shown.message_id))
        assert draft == Draft((answered,))
        (call,) = desk.served.peer.log
        assert call.body["msg"]["client_id"] == shown.client_id != ""


async def test_a_send_without_a_token_carries_none(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with seated(autojump_clock, tmp_path) as desk:
        await desk.send()
        assert "context_token" not in desk.served.peer.log[0].body["msg"]


@pytest.mark.parametrize(
    ("codes", "recorded"),
    [
        ({"ret": -2, "errmsg": "prepare failed"}, {}),
        ({"ret": -2, "errmsg": ""}, {}),
        ({"ret": -2, "msg": "rate limited"}, {"errmsg": "rate limited"}),
        ({"ret": -3, "errmsg": "invalid arguments"}, {}),
        (SESSION_TIMEOUT, {}),
    ],
)
async def test_a_refused_send_is_recorded_in_the_peers_words(
    autojump_clock: MockClock,
    tmp_path: Path,
    codes: dict[str, Any],
    recorded: dict[str, Any],
) -> None:
    expected = {name: value for name, value in codes.items() if name != "msg"}
    async with seated(autojump_clock, tmp_path) as desk:
        desk.served.arm(msgspec.convert({"type": "code"} | codes, Code))
        answered = SendAnswered(12, 1, **(expected | recorded))
        assert await desk.send() == Draft((answered,))


async def test_an_id_in_an_answer_is_exact_in_any_form(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    forms: list[tuple[Any, str]] = [
        (18446744073709551615, "18446744073709551615"),
        ("9223372036854775808", "9223372036854775808"),
        (0, ""),
        (None, ""),
    ]
    async with seated(autojump_clock, tmp_path) as desk:
        desk.served.say()
        for written, read in forms:
            desk.served.arm(Fields(set={"message_id": written}, count=1))
            assert await desk.send() == Draft(
                (SendAnswered(12, 1, ret=0, message_id=read),)
            )
        desk.served.arm(Suppress())
        assert await desk.send() == Draft((SendAnswered(12, 1, ret=0),))


@pytest.mark.parametrize("kind", ["html", "null", "truncated"])
async def test_an_answer_that_cannot_be_read_says_so(
    autojump_clock: MockClock, tmp_path: Path, kind: str
) -> None:
    async with seated(autojump_clock, tmp_path) as desk:
        desk.served.arm(msgspec.convert({"type": "garbage", "kind": kind}, Garbage))
        (event,) = (await desk.send()).events
        assert isinstance(event, SendAnswered)
        assert event.malformed


async def test_a_status_of_the_edge_is_recorded_as_it_came(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with seated(autojump_clock, tmp_path) as desk:
        desk.served.arm(HttpStatus(status=502, body=""))
        assert await desk.send() == Draft((SendAnswered(12, 1, status=502),))


@pytest.mark.parametrize(
    ("how", "kind", "seconds"),
    [("reset_before_headers", "reset", 0), ("never_answer", "timeout", 15)],
)
async def test_a_send_whose_answer_is_lost_may_have_arrived(
    autojump_clock: MockClock, tmp_path: Path, how: str, kind: str, seconds: int
) -> None:
    fault = msgspec.convert({"type": "wire", "how": how, "acted": True}, Wire)
    async with seated(autojump_clock, tmp_path) as desk:
        desk.served.say()
        desk.served.arm(fault)
        (event,) = (await desk.send()).events
        assert isinstance(event, SendFailed)
        assert (event.delivery, event.part) == (12, 1)
        assert (event.kind, event.left) == (kind, True)
        assert desk.served.peer.shown[USER]
        assert autojump_clock.current_time() == seconds


async def test_a_send_that_reached_nobody_has_not_left(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with seated(autojump_clock, tmp_path, base_url=NOWHERE) as desk:
        (event,) = (await desk.send()).events
        assert isinstance(event, SendFailed)
        assert (event.kind, event.left) == ("connect", False)
        assert "refused" in event.reason


async def test_the_typing_sign_is_shown_and_ended_with_one_ticket(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with seated(autojump_clock, tmp_path) as desk:
        said = desk.served.say()
        context = said.wire["context_token"]
        got = await desk.there.get_typing_ticket(desk.login, USER, context)
        assert (got.status, got.code, bool(got.ticket)) == (200, 0, True)
        for ended in (False, True):
            shown = await desk.there.send_typing(
                desk.login, USER, got.ticket, ended=ended
            )
            assert shown == Typing(200, 0)
        config, on, off = (call.body for call in desk.served.peer.log)
        assert (config["ilink_user_id"], config["context_token"]) == (USER, context)
        assert (on["status"], off["status"]) == (1, 2)
        assert on["typing_ticket"] == off["typing_ticket"] == got.ticket


async def test_before_the_first_message_there_is_no_ticket(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with seated(autojump_clock, tmp_path) as desk:
        assert await desk.there.get_typing_ticket(desk.login, USER, "") == NO_TICKET
        assert "context_token" not in desk.served.peer.log[0].body
        refused = await desk.there.send_typing(desk.login, USER, "forged")
        assert (refused.code, refused.errmsg) == (-3, "invalid arguments")


async def test_typing_has_its_own_short_deadline(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with seated(autojump_clock, tmp_path) as desk:
        desk.served.arm(Wire(how="never_answer", count=1))
        with pytest.raises(Failure, match="no answer within 10000 ms"):
            await desk.there.get_typing_ticket(desk.login, USER, "")
        assert autojump_clock.current_time() == SMALL_CALL_MS / 1000
        desk.served.arm(msgspec.convert({"type": "code"} | SESSION_TIMEOUT, Code))
        refused = await desk.there.send_typing(desk.login, USER, "ticket")
        assert (refused.code, refused.errmsg) == (-14, "session timeout")


@pytest.mark.parametrize(
    ("kind", "call"), [(NotifyStart, "start"), (NotifyStop, "stop")]
)
async def test_notices_are_answered_or_say_what_became_of_them(
    autojump_clock: MockClock,
    tmp_path: Path,
    kind: type[NotifyStart | NotifyStop],
    call: str,
) -> None:
    async with seated(autojump_clock, tmp_path) as desk:
        command = kind(desk.login, 10_000)
        perform = desk.there.perform
        good = NotifyAnswered(call, ret=0, credential=desk.login)
        assert await perform(command) == Draft((good,))
        desk.served.arm(Code(errcode=-14, errmsg="session timeout", count=1))
        refused = NotifyAnswered(call, credential=desk.login, **SESSION_TIMEOUT)
        assert await perform(command) == Draft((refused,))
        desk.served.arm(HttpStatus(status=503, body="", count=1))
        busy = NotifyAnswered(call, status=503, credential=desk.login)
        assert await perform(command) == Draft((busy,))
        desk.served.arm(Wire(how="never_answer", count=1))
        words = "no answer within 10000 ms"
        silent = NotifyFailed(call, "timeout", words, desk.login)
        assert await perform(command) == Draft((silent,))
        assert autojump_clock.current_time() == 10
        paths = {entry.endpoint for entry in desk.served.peer.log}
        assert paths == {f"notify{call}"}


@pytest.mark.parametrize("command", [ReloadCredentials(), SetTimer("x", 1)])
async def test_what_asks_the_peer_nothing_is_a_mistake_of_ours(
    autojump_clock: MockClock, tmp_path: Path, command: Command
) -> None:
    async with seated(autojump_clock, tmp_path) as desk:
        with pytest.raises(AssertionError, match="asks nothing of this peer"):
            await desk.there.perform(command)


async def test_the_request_on_the_wire_is_the_sheets(tmp_path: Path) -> None:
    seen: list[bytes] = []

    async def converse(stream: trio.SocketStream) -> None:
        seen.append(await read_request(stream))
        await stream.send_all(answer(b"{}"))

    vault = Vault(bytes(32), "alice", Later())
    async with raw_server(converse) as url:
        login = vault.hold_login(Credentials(token=FULL_TOKEN, base_url=url))
        where = account(url, tmp_path, route_tag="gray-7", bot_agent="MyBot/1.0")
        async with open_peer(where, vault, make_tls_context()) as there:
            await there.perform(Poll(1, login, timeout_ms=POLL_MS))
    head, _, body = seen[0].partition(b"\r\n\r\n")
    first, *headers = head.decode("ascii").split("\r\n")
    assert first == "POST /ilink/bot/getupdates HTTP/1.1"
    assert {
        "Content-Type: application/json",
        "AuthorizationType: ilink_bot_token",
        f"Authorization: Bearer {FULL_TOKEN}",
        "iLink-App-Id: bot",
        "iLink-App-ClientVersion: 132105",
        "SKRouteTag: gray-7",
        "Accept-Encoding: identity",
        f"Content-Length: {len(body)}",
    } <= set(headers)
    assert len({line.partition(":")[0].lower() for line in headers}) == len(headers)
    assert body == (
        b'{"get_updates_buf":"",'
        b'"base_info":{"channel_version":"2.4.9","bot_agent":"MyBot/1.0"}}'
    )


async def test_a_login_that_was_never_read_is_no_authorization(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with seated(autojump_clock, tmp_path) as desk:
        login = "login-of-another-life"
        stale = NotifyAnswered("start", credential=login, **SESSION_TIMEOUT)
        assert await start(desk, login) == stale
        assert "authorization" not in desk.served.peer.log[0].headers


async def test_every_login_is_used_where_it_belongs_whichever_was_read_last(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with seated(autojump_clock, tmp_path) as desk, online(autojump_clock) as home:
        home.rebind(token=OTHER_TOKEN)
        moved = Credentials(token=OTHER_TOKEN, base_url=f"{home.url}/")
        for login in (desk.vault.hold_login(moved), desk.login):
            ok = await start(desk, login)
            assert ok == NotifyAnswered("start", ret=0, credential=login)
        assert (desk.served.peer.calls, home.peer.calls) == (1, 1)


async def start(desk: Desk, login: str) -> object:
    (event,) = (await desk.there.perform(NotifyStart(login, 10_000))).events
    return event
