"""HTTP: each way in which an exchange can fail, told apart, over real sockets."""

import errno
import gzip
import socket
import tracemalloc
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import msgspec
import pytest
import trio
from shell_rig import answering, online, raw_server, read_request
from trio.testing import MockClock

from holdfast.io import http
from holdfast.io.http import Channel, Failure, Response, make_tls_context
from holdfast.replay.world.weixin_faults import HttpStatus, Wire

PATH = "/ilink/bot/getupdates"
DEADLINE_MS = 45_000
MIB = 1 << 20


@asynccontextmanager
async def channel(proxy: str | None = None) -> AsyncIterator[Channel]:
    opened = Channel(make_tls_context(), proxy=proxy, connections_max=2)
    try:
        yield opened
    finally:
        await opened.aclose()


async def post(
    to: Channel, url: str, body: bytes = b"{}", timeout_ms: int = DEADLINE_MS
) -> Response:
    return await to.post(url, {"Content-Type": "text/plain"}, body, timeout_ms)


async def fail(to: Channel, url: str, timeout_ms: int = DEADLINE_MS) -> Failure:
    with pytest.raises(Failure) as caught:
        await post(to, url, timeout_ms=timeout_ms)
    return caught.value


def facts_of(failure: Failure) -> tuple[str, bool]:
    return failure.kind, failure.left


async def test_an_answer_is_its_status_and_its_bytes() -> None:
    body = b"\xff not text, not JSON \x00"
    async with raw_server(answering(body)) as url, channel() as there:
        assert await post(there, url) == Response(200, body)


async def test_an_error_status_is_an_answer_like_any_other() -> None:
    served = answering(b"busy", status="502 Bad Gateway")
    async with raw_server(served) as url, channel() as there:
        assert await post(there, url) == Response(502, b"busy")


@pytest.mark.parametrize(
    ("how", "kind"),
    [
        ("accept_and_close", "protocol"),
        ("reset_before_headers", "reset"),
        ("reset_in_body", "reset"),
        ("cut_body", "protocol"),
    ],
)
async def test_a_connection_that_breaks_has_taken_the_request_with_it(
    autojump_clock: MockClock, how: str, kind: str
) -> None:
    fault = msgspec.convert({"type": "wire", "how": how}, Wire)
    async with online(autojump_clock) as served, channel() as there:
        served.arm(fault)
        failure = await fail(there, served.url + PATH)
        assert facts_of(failure) == (kind, True)
        assert failure.reason
        assert autojump_clock.current_time() == 0


async def test_a_reset_behind_the_last_byte_costs_nothing(
    autojump_clock: MockClock,
) -> None:
    async with online(autojump_clock) as served, channel() as there:
        served.arm(Wire(how="reset_after_body"))
        assert (await post(there, served.url + PATH)).status == 200


@pytest.mark.parametrize("how", ["headers_then_stall", "never_answer", "trickle"])
async def test_the_deadline_covers_the_whole_exchange_and_strikes_to_the_millisecond(
    autojump_clock: MockClock, how: str
) -> None:
    fields = {"type": "wire", "how": how, "interval_ms": 7_000}
    async with online(autojump_clock) as served, channel() as there:
        served.arm(msgspec.convert(fields, Wire))
        failure = await fail(there, served.url + PATH)
        assert facts_of(failure) == ("timeout", True)
        assert failure.reason == "no answer within 45000 ms"
        assert autojump_clock.current_time() == DEADLINE_MS / 1000


async def test_an_answer_just_before_the_deadline_is_taken(
    autojump_clock: MockClock,
) -> None:
    fault = Wire(how="headers_then_stall", for_ms=DEADLINE_MS - 1)
    async with online(autojump_clock) as served, channel() as there:
        served.arm(fault)
        assert (await post(there, served.url + PATH)).status == 200


async def test_nobody_listens_so_nothing_left(autojump_clock: MockClock) -> None:
    async with online(autojump_clock) as served, channel() as there:
        served.arm(Wire(how="refuse"))
        assert facts_of(await fail(there, served.url + PATH)) == ("reset", True)
        failure = await fail(there, served.url + PATH)
        assert facts_of(failure) == ("connect", False)
        assert "refused" in failure.reason.lower()


@contextmanager
def full_backlog() -> Iterator[str]:
    """Listen, and let nobody in: whoever dials waits for the first packet back."""
    with socket.socket() as door, socket.socket() as first, socket.socket() as second:
        door.bind(("127.0.0.1", 0))
        door.listen(0)
        for early in (first, second):
            early.setblocking(False)  # noqa: FBT003 - the name of its only argument.
            assert early.connect_ex(door.getsockname()) == errno.EINPROGRESS
        yield f"http://127.0.0.1:{door.getsockname()[1]}"


async def test_an_address_that_swallows_packets_is_known_before_any_deadline(
    autojump_clock: MockClock,
) -> None:
    with full_backlog() as url:
        async with channel() as there:
            assert facts_of(await fail(there, url)) == ("connect", False)
            assert autojump_clock.current_time() == http.CONNECT_TIMEOUT_S
            assert (await fail(there, url)).reason == "no connection within 8 s"


class Nameless(trio.abc.HostnameResolver):
    """A resolver that knows nobody."""

    async def getaddrinfo(self, *_: Any, **__: Any) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    async def getnameinfo(self, *_: Any, **__: Any) -> Any:
        raise NotImplementedError


async def test_a_name_that_does_not_resolve_is_called_so() -> None:
    trio.socket.set_custom_hostname_resolver(Nameless())
    async with channel() as there:
        failure = await fail(there, "http://ilink.example" + PATH)
    assert facts_of(failure) == ("dns", False)
    assert "Name or service not known" in failure.reason


async def test_a_redirect_is_an_answer_and_leads_nowhere(
    autojump_clock: MockClock,
) -> None:
    async with online(autojump_clock) as served, channel() as there:
        headers = {"Location": f"{served.url}/elsewhere"}
        served.arm(HttpStatus(status=302, headers=headers, body="moved"))
        assert await post(there, served.url + PATH) == Response(302, b"moved")
        assert served.peer.calls == 1


async def test_an_endless_body_is_refused_at_its_limit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(http, "BODY_BYTES_MAX", MIB)
    written = 0

    async def pour(stream: trio.abc.Stream) -> None:
        nonlocal written
        await read_request(stream)
        await stream.send_all(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n")
        while True:
            await stream.send_all(bytes(65_536))
            written += 65_536

    async with raw_server(pour) as url, channel() as there:
        failure = await fail(there, url)
    assert facts_of(failure) == ("too_large", True)
    # What the sockets' own buffers take is written, too.
    assert written < 32 * MIB


async def test_a_body_of_exactly_the_limit_is_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(http, "BODY_BYTES_MAX", 1_000)
    async with raw_server(answering(bytes(1_000))) as url, channel() as there:
        assert len((await post(there, url)).body) == 1_000
    async with raw_server(answering(bytes(1_001))) as url, channel() as there:
        assert (await fail(there, url)).kind == "too_large"


async def test_a_small_answer_cannot_unfold_into_a_large_one() -> None:
    served = answering(gzip.compress(bytes(128 * MIB), 1), "Content-Encoding: gzip")
    async with raw_server(served) as url, channel() as there:
        tracemalloc.start()
        try:
            failure = await fail(there, url)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert facts_of(failure) == ("too_large", True)
    assert peak < 100 * MIB


async def test_a_compressed_answer_is_read_though_nobody_asked_for_it() -> None:
    served = answering(gzip.compress(b'{"ret":0}'), "Content-Encoding: gzip")
    async with raw_server(served) as url, channel() as there:
        assert await post(there, url) == Response(200, b'{"ret":0}')


FOLDED = gzip.compress(b'{"ret":0}')


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("gzip", b'{"ret":0}'),
        ("gzip", FOLDED[:-3]),
        ("gzip, gzip", gzip.compress(gzip.compress(bytes(MIB)))),
        ("br", b"\x0b\x02\x80"),
        ("identity", b'{"ret":0}'),
    ],
)
async def test_what_cannot_be_unfolded_is_kept_as_it_came(
    encoding: str, body: bytes
) -> None:
    served = answering(body, f"Content-Encoding: {encoding}")
    async with raw_server(served) as url, channel() as there:
        assert await post(there, url) == Response(200, body)


async def test_what_is_no_http_is_a_failure() -> None:
    async def greet(stream: trio.abc.Stream) -> None:
        await stream.send_all(b"220 mail.example ESMTP ready\r\n\r\n")
        await stream.receive_some()

    async with raw_server(greet) as url, channel() as there:
        assert facts_of(await fail(there, url)) == ("protocol", True)


async def test_a_connection_is_kept_until_the_peer_closes_it() -> None:
    connections: list[int] = []

    async def twice(stream: trio.abc.Stream) -> None:
        connections.append(0)
        while connections[-1] < 2 and await read_request(stream):
            connections[-1] += 1
            await stream.send_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        await stream.aclose()

    async with raw_server(twice) as url, channel() as there:
        for _ in range(5):
            assert (await post(there, url)).status == 200
            await trio.testing.wait_all_tasks_blocked()
    assert connections == [2, 2, 1]


async def test_whoever_is_cancelled_leaves_a_channel_that_works(
    autojump_clock: MockClock,
) -> None:
    async with online(autojump_clock) as served, channel() as there:
        served.arm(Wire(how="never_answer", count=3))
        for _ in range(3):
            with trio.move_on_after(5) as scope:
                await post(there, served.url + PATH)
            assert scope.cancelled_caught
        assert (await post(there, served.url + PATH)).status == 200
        assert autojump_clock.current_time() == 15
