"""HTTP on its way: TLS, proxies, and conversations that do not touch each other."""

import shutil
import socket
import ssl
import struct
import subprocess
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import NamedTuple

import pytest
import trio
from peer_rig import login_at
from shell_rig import NOWHERE, account, answer, answering, online, raw_server
from shell_rig import read_request as read
from test_http import PATH, channel, facts_of, fail, post
from trio.testing import MockClock

from holdfast.core.commands import NotifyStart, Poll
from holdfast.core.events import NotifyAnswered, PollFailed
from holdfast.io.draft import Draft
from holdfast.io.http import CONNECT_TIMEOUT_S, Channel, Response, make_tls_context
from holdfast.io.vault import Vault
from holdfast.io.weixin.peer import POLLS_MAX, open_peer
from holdfast.replay.world.weixin_faults import Wire

RESET = struct.pack("ii", 1, 0)
PROXY_VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")


class Certified(NamedTuple):
    """A certificate that nobody trusts unless told to, on both ends."""

    server: ssl.SSLContext
    trusting: ssl.SSLContext


@pytest.fixture(scope="module")
def certified(tmp_path_factory: pytest.TempPathFactory) -> Certified:
    folder = tmp_path_factory.mktemp("tls")
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    make_certificate(key, certificate)
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(certificate, key)
    return Certified(server, ssl.create_default_context(cafile=certificate))


def make_certificate(key: Path, certificate: Path) -> None:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("there is no openssl to make a certificate with")
    ask = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2"
    ask += " -subj /CN=loopback -addext subjectAltName=IP:127.0.0.1"
    command = [openssl, *ask.split(), "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)  # noqa: S603 - our own.


async def test_a_certificate_that_nobody_vouches_for_is_refused(
    certified: Certified,
) -> None:
    async with raw_server(over_tls(certified), "https") as url, channel() as there:
        failure = await fail(there, url)
    assert facts_of(failure) == ("tls", False)
    assert "certificate verify failed" in failure.reason


async def test_a_certificate_that_is_vouched_for_is_taken(certified: Certified) -> None:
    trusting = Channel(certified.trusting, proxy=None, connections_max=1)
    async with raw_server(over_tls(certified), "https") as url:
        assert await post(trusting, url) == Response(200, b"{}")
    await trusting.aclose()


def over_tls(certified: Certified) -> Callable[[trio.SocketStream], Awaitable[None]]:
    async def converse(stream: trio.SocketStream) -> None:
        safe = trio.SSLStream(stream, certified.server, server_side=True)
        await answering(b"{}")(safe)

    return converse


async def test_a_server_that_speaks_no_tls_at_all_is_called_so() -> None:
    async def plain(stream: trio.SocketStream) -> None:
        await stream.receive_some()
        await stream.send_all(answer(b"", status="400 Bad Request"))

    async with raw_server(plain, "https") as url, channel() as there:
        assert facts_of(await fail(there, url)) == ("tls", False)


@pytest.mark.parametrize("linger", [RESET, None])
async def test_a_handshake_that_breaks_off_blames_nobodys_certificate(
    linger: bytes | None,
) -> None:
    async def leave(stream: trio.SocketStream) -> None:
        await stream.receive_some()
        if linger:
            stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        await stream.aclose()

    async with raw_server(leave, "https") as url, channel() as there:
        assert facts_of(await fail(there, url)) == ("connect", False)


async def test_a_handshake_that_hangs_ends_as_a_dial_does(
    autojump_clock: MockClock,
) -> None:
    async with raw_server(hang, "https") as url, channel() as there:
        assert facts_of(await fail(there, url)) == ("connect", False)
        assert autojump_clock.current_time() == CONNECT_TIMEOUT_S


async def hang(_stream: trio.SocketStream) -> None:
    await trio.sleep_forever()


async def test_proxies_of_the_environment_are_ignored(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in PROXY_VARIABLES:
        monkeypatch.setenv(variable, NOWHERE)
        monkeypatch.setenv(variable.lower(), NOWHERE)
    async with online(autojump_clock) as served, channel() as there:
        assert (await post(there, served.url + PATH)).status == 200
        assert served.peer.calls == 1


async def test_a_proxy_of_the_configuration_is_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("NO_PROXY", "*")
    seen: list[bytes] = []

    async def proxy(stream: trio.SocketStream) -> None:
        seen.append(await read(stream))
        await stream.send_all(answer(b"through"))

    async with raw_server(proxy) as url, channel(url) as there:
        answered = await post(there, "http://ilink.example/x")
    assert answered == Response(200, b"through")
    assert seen[0].startswith(b"POST http://ilink.example/x HTTP/1.1\r\n")


async def test_a_proxy_that_refuses_the_way_has_let_nothing_out() -> None:
    refused = answering(b"no", status="403 Forbidden")
    async with raw_server(refused) as url, channel(url) as there:
        failure = await fail(there, "https://ilink.example/x")
    assert facts_of(failure) == ("connect", False)
    assert "403" in failure.reason


async def test_a_proxy_that_says_nothing_has_let_nothing_out(
    autojump_clock: MockClock,
) -> None:
    async with raw_server(hang) as url, channel(url) as there:
        failure = await fail(there, "https://ilink.example/x", timeout_ms=10_000)
        assert facts_of(failure) == ("timeout", False)
        assert autojump_clock.current_time() == 10


async def test_a_proxy_that_is_not_there_is_a_failed_dial() -> None:
    async with channel(NOWHERE) as there:
        failure = await fail(there, "https://ilink.example/x")
    assert facts_of(failure) == ("connect", False)


class Nothing:
    """A vault's store without anything in it."""

    def value(self, _handle: str) -> bytes | None:
        return None


async def test_polls_that_hang_do_not_hold_what_else_there_is_to_say(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    vault = Vault(bytes(32), "alice", Nothing())
    async with online(autojump_clock) as served:
        login = vault.hold_login(login_at(served))
        served.arm(Wire(at="getupdates", how="never_answer"))
        polls: list[Draft] = []
        async with (
            open_peer(account(served, tmp_path), vault, make_tls_context()) as peer,
            trio.open_nursery() as nursery,
        ):

            async def poll() -> None:
                polls.append(await peer.perform(Poll(1, login, timeout_ms=45_000)))

            for _ in range(2 * POLLS_MAX):
                nursery.start_soon(poll)
            await served.until(lambda peer: peer.calls == POLLS_MAX)
            answered = await peer.perform(NotifyStart(login, 10_000))
            assert answered.events == (
                NotifyAnswered("start", ret=0, credential=login),
            )
            assert autojump_clock.current_time() == 0
        timeout = PollFailed(1, "timeout", "no answer within 45000 ms")
        assert polls == [Draft((timeout,))] * 2 * POLLS_MAX
