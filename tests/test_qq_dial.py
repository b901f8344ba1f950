"""Dials of a QQ gateway: the ways in which no socket comes of one, and TLS."""

import socket

import pytest
import trio
from qq_rig import EPOCH, conversing, desk, gateway
from shell_rig import answer, answering, raw_server, read_request
from test_http_ways import Certified, certified
from test_qq_orders import deaf
from trio.testing import MockClock
from websockets.datastructures import Headers
from websockets.http11 import Request, Response
from websockets.trio.server import ServerConnection

from holdfast.core.qq_events import (
    DialFailed,
    HelloReceived,
    SocketClosed,
    SocketOpened,
)

__all__ = ["certified"]  # A fixture.

HELLO = '{"op":10,"d":{"heartbeat_interval":41250}}'
ACK = '{"op":11}'
END_S = 86_400


async def failed(url: str, timeout_ms: int = 15_000, api: str = "http://x") -> str:
    async with desk(api) as it:
        await it.converse(url, timeout_ms)
    (event,) = it.events
    assert isinstance(event, DialFailed)
    assert event.reason
    assert event.epoch == EPOCH
    return event.kind


@pytest.mark.parametrize("status", ["200 OK", "302 Found", "403 Forbidden"])
async def test_an_http_answer_in_place_of_a_socket_is_told_with_its_status(
    status: str,
) -> None:
    page = answer(b"<html>", "Location: http://127.0.0.1:9/", status=status)

    async def portal(stream: trio.SocketStream) -> None:
        await read_request(stream)
        await stream.send_all(page)

    async with raw_server(portal, "ws") as url, desk() as it:
        await it.converse(url)
    (event,) = it.events
    assert isinstance(event, DialFailed)
    assert (event.kind, event.status) == ("handshake", int(status[:3]))


async def test_nobody_there_is_no_connection() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port = bound.getsockname()[1]
        assert await failed(f"ws://127.0.0.1:{port}") == "connect"


@pytest.mark.parametrize("host", ["no-such-host.invalid", "a" * 64 + ".example"])
async def test_a_name_that_is_none_is_told_as_such(
    host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr("trio.socket.getaddrinfo", fail)
    assert await failed(f"wss://{host}") == "dns"


async def test_a_far_end_that_speaks_no_tls_is_told_as_such() -> None:
    async def babble(stream: trio.SocketStream) -> None:
        await stream.receive_some()
        await stream.send_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async with raw_server(babble, "wss") as url:
        assert await failed(url) == "tls"


async def test_silence_ends_at_the_deadline(autojump_clock: MockClock) -> None:
    async def be_silent(_: trio.SocketStream) -> None:
        await trio.sleep(END_S)

    began = autojump_clock.current_time()
    async with raw_server(be_silent, "ws") as url:
        assert await failed(url, 7_000) == "timeout"
    assert autojump_clock.current_time() - began == pytest.approx(7, abs=0.1)


async def test_a_connection_that_breaks_in_the_handshake_is_told_apart() -> None:
    async def leave(stream: trio.SocketStream) -> None:
        await read_request(stream)

    async def reset(stream: trio.SocketStream) -> None:
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        await read_request(stream)

    async with raw_server(leave, "ws") as url:
        assert await failed(url) == "protocol"
    async with raw_server(reset, "ws") as url:
        assert await failed(url) == "reset"


async def test_a_handshake_that_is_wrong_is_a_protocol_error() -> None:
    def agree_wrongly(_: ServerConnection, __: Request, said: Response) -> Response:
        said.headers = Headers(said.headers)
        del said.headers["Sec-WebSocket-Accept"]
        said.headers["Sec-WebSocket-Accept"] = "bm8="
        return said

    async def nothing(_: ServerConnection) -> None:
        await trio.sleep(END_S)

    async with gateway(nothing, process_response=agree_wrongly) as url:
        assert await failed(url) == "protocol"


@pytest.mark.parametrize(
    "url", ["http://x", "ws://", "wss://h:port", "ws://h/#f", "wss://a@h", "nonsense"]
)
async def test_what_is_no_address_is_not_dialled(url: str) -> None:
    assert await failed(url) == "protocol"


async def test_a_token_is_never_shown_in_clear_to_another_machine() -> None:
    for url in ("ws://gateway.example/", "ws://127.0.0.1.example/", "ws://10.0.0.1"):
        assert await failed(url, api="https://api.example") == "protocol"


async def test_told_to_close_a_dial_is_given_up(autojump_clock: MockClock) -> None:
    async def be_silent(_: trio.SocketStream) -> None:
        await trio.sleep(END_S)

    async with raw_server(be_silent, "ws") as url, desk() as it:
        async with conversing(it, url, autojump_clock):
            await trio.sleep(1)
        assert [type(event) for event in it.events] == [DialFailed]


async def test_tls_is_verified_and_then_spoken(certified: Certified) -> None:
    async def greet(ws: ServerConnection) -> None:
        await ws.send(HELLO)
        await ws.aclose(4009, "bye")

    async with gateway(greet, ssl=certified.server) as url:
        assert await failed(url) == "tls"
        async with desk(tls=certified.trusting) as it:
            await it.converse(url)
    assert it.events[1:] == [
        HelloReceived(EPOCH, 41_250),
        SocketClosed(EPOCH, "closed", 4009, "bye"),
    ]


# Proxies.


async def test_a_proxy_of_the_configuration_is_asked_for_the_way() -> None:
    asked = []

    async def relay(stream: trio.SocketStream) -> None:
        asked.append((await read_request(stream)).split(b"\r\n")[0].decode())
        await stream.send_all(b"HTTP/1.1 200 OK\r\n\r\n")
        await deaf(stream)

    async with (
        raw_server(relay) as proxy,
        desk(proxy=proxy) as it,
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(it.converse, "ws://localhost:9/")
        await it.until(SocketOpened)
        nursery.cancel_scope.cancel()
    assert asked == ["CONNECT localhost:9 HTTP/1.1"]


async def test_a_proxy_that_refuses_is_no_connection_and_tells_no_password() -> None:
    refuse = answering(b"", status="407 Proxy Authentication Required")
    async with raw_server(refuse, "http://ann:EXAMPLEPW@x") as where:
        proxy = where.replace("@x://", "@")
        async with desk(proxy=proxy) as it:
            await it.converse("ws://localhost:9/")
    (event,) = it.events
    assert isinstance(event, DialFailed)
    assert event.kind == "connect"
    assert "407" in event.reason
    assert "EXAMPLEPW" not in event.reason


async def test_proxies_of_the_environment_are_never_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for variable in ("HTTP_PROXY", "ws_proxy", "all_proxy", "socks_proxy"):
        monkeypatch.setenv(variable, "http://127.0.0.1:1")
    async with gateway(lambda ws: ws.aclose(1001)) as url, desk() as it:
        await it.converse(url)
    assert it.events[-1] == SocketClosed(EPOCH, "closed", 1001)
