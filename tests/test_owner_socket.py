"""The owner and a gateway's socket: what is told, recorded, replaced and stopped."""

from pathlib import Path

import pytest
import trio
from owner_rig import Script, happens, owning
from qq_rig import EPOCH, answering, desk, gateway
from shell_rig import answer, raw_server, recorded
from test_qq_orders import deaf
from trio.testing import MockClock
from websockets.trio.server import ServerConnection

from holdfast.core.commands import (
    CloseSocket,
    FetchGateway,
    FetchToken,
    Heartbeat,
    OpenSocket,
    Ping,
)
from holdfast.core.events import Event, StopRequested
from holdfast.core.qq_events import (
    FrameUnread,
    GatewayAnswered,
    HeartbeatAcked,
    SocketClosed,
    SocketOpened,
    TokenAnswered,
)

ACK = '{"op":11}'
END_S = 86_400
DIAL_MS = 15_000


def facts(folder: Path) -> list[Event]:
    return [fact.event for fact in recorded(folder)]


async def echo(ws: ServerConnection) -> None:
    """Acknowledge whatever comes."""
    async for _ in ws:
        await ws.send(ACK)


async def test_what_is_told_in_the_same_breath_as_the_dial_is_heard(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    assert autojump_clock.autojump_threshold == 0
    async with gateway(echo) as url, desk() as it:
        script: Script = {
            "go": lambda _: [
                OpenSocket(EPOCH, url, DIAL_MS),
                Heartbeat(EPOCH),
                Ping(EPOCH),
                Heartbeat(EPOCH, 1),
            ],
            "StopRequested": lambda _: [CloseSocket(EPOCH)],
        }
        async with owning(tmp_path, script, peer=it.peer) as (owner, _):
            await owner.ask(happens("go"))
            await trio.sleep(1)
            await owner.stop("enough", grace_s=8, poll_grace_s=1)
    found = [event for event in facts(tmp_path) if not isinstance(event, StopRequested)]
    assert found[2] == SocketOpened(EPOCH)
    assert found.count(HeartbeatAcked(EPOCH)) == 2
    assert found[-1] == SocketClosed(EPOCH, "dropped")


async def test_a_new_socket_replaces_the_old_one_whose_end_is_recorded(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    assert autojump_clock.autojump_threshold == 0
    async with raw_server(deaf, "ws") as url, desk() as it:
        script: Script = {
            "first": lambda _: [OpenSocket(1, url, DIAL_MS)],
            "second": lambda _: [OpenSocket(2, url, DIAL_MS)],
            "late": lambda _: [Heartbeat(1), CloseSocket(1)],
        }
        async with owning(tmp_path, script, peer=it.peer) as (owner, _):
            for name in ("first", "second", "late"):
                await owner.ask(happens(name))
                await trio.sleep(1)
            await owner.stop("enough", grace_s=8, poll_grace_s=1)
    found = [event for event in facts(tmp_path) if hasattr(event, "epoch")]
    assert found == [SocketOpened(1), SocketClosed(1, "dropped"), SocketOpened(2)]


@pytest.mark.parametrize("how", ["stop", "cut off"])
async def test_a_flood_does_not_keep_an_account_from_ending(
    tmp_path: Path, autojump_clock: MockClock, how: str
) -> None:
    async def flood(ws: ServerConnection) -> None:
        number = 0
        while True:
            number += 1
            await ws.send(f'{{"op":{1_000 + number},"d":"{"x" * 5_000}"}}')

    async with gateway(flood) as url, desk() as it:
        script: Script = {
            "go": lambda _: [OpenSocket(EPOCH, url, DIAL_MS)],
            "StopRequested": lambda _: [CloseSocket(EPOCH)],
        }
        async with owning(tmp_path, script, peer=it.peer) as (owner, _):
            await owner.ask(happens("go"))
            while owner.seq < 500:
                await trio.lowlevel.checkpoint()
            began = autojump_clock.current_time()
            if how == "stop":
                await owner.stop("enough", grace_s=8, poll_grace_s=1)
            else:
                owner.cut_off()
    assert autojump_clock.current_time() - began < 2
    ops = [one.op for one in facts(tmp_path) if isinstance(one, FrameUnread)]
    assert ops == list(range(1_001, 1_001 + len(ops)))
    assert len(ops) > 400


async def test_calls_are_asked_and_a_stop_waits_for_them(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    assert autojump_clock.autojump_threshold == 0
    async with answering(answer(b"{}")) as url, desk(url) as it:
        script: Script = {
            "go": lambda _: [
                FetchToken(it.login, DIAL_MS),
                FetchGateway(EPOCH, it.token, DIAL_MS),
            ]
        }
        async with owning(tmp_path, script, peer=it.peer) as (owner, _):
            await owner.ask(happens("go"))
            await owner.stop("enough", grace_s=8, poll_grace_s=1)
    kinds = {type(event) for event in facts(tmp_path)}
    assert {TokenAnswered, GatewayAnswered} <= kinds


async def test_a_platform_without_sockets_is_told_of_none(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    assert autojump_clock.autojump_threshold == 0
    script: Script = {"go": lambda _: [OpenSocket(1, "ws://x", DIAL_MS)]}
    with pytest.RaisesGroup(
        pytest.RaisesExc(AssertionError, match="this platform has no sockets")
    ):
        async with owning(tmp_path, script) as (owner, _):
            await owner.post(happens("go"))
            await trio.sleep(END_S)
