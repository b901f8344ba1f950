"""The simulated network, and the real clients on it."""

import gc
import random
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
from shell_rig import answer, read_request
from trio.testing import MockClock

from holdfast.io.http import Channel, Failure
from holdfast.io.qq.gateway import DialError, Dialling, dial
from holdfast.replay.simulate.network import Blow, Host, Internet, Machine, Mood
from holdfast.replay.simulate.streams import Plug
from holdfast.replay.world.serve_door import End, Handler

ADDRESS = "peer.test:80"
URL = f"http://{ADDRESS}/"
TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


async def answers(end: End) -> None:
    try:
        while await read_request(end):
            await end.send_all(answer(b"hello"))
    except trio.BrokenResourceError:
        pass


async def says_nothing(end: End) -> None:
    while await read_request(end):
        pass


@asynccontextmanager
async def online(handler: Handler = answers) -> AsyncIterator[tuple[Internet, Host]]:
    internet = Internet(random.Random(1))  # noqa: S311 - it must repeat.
    host = internet.host(ADDRESS)
    async with trio.open_nursery() as nursery:
        await nursery.start(host.admit, handler)
        with trio.fail_after(1_000):
            yield internet, host
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def channel(internet: Internet) -> AsyncIterator[tuple[Channel, Machine]]:
    machine = Machine(internet)
    opened = Channel(TLS, proxy=None, connections_max=2, network=machine)
    try:
        yield opened, machine
    finally:
        await opened.aclose()


async def post(there: Channel, body: bytes = b"{}") -> bytes:
    return (await there.post(URL, {}, body, 45_000)).body


async def fail(there: Channel) -> tuple[str, bool]:
    with pytest.raises(Failure) as caught:
        await post(there)
    return caught.value.kind, caught.value.left


async def test_the_real_client_is_answered_and_keeps_its_connection(
    autojump_clock: MockClock,
) -> None:
    async with online() as (internet, _), channel(internet) as (there, _):
        assert [await post(there) for _ in range(3)] == [b"hello"] * 3
        assert 0 < autojump_clock.current_time() < 2


@pytest.mark.parametrize(
    ("mood", "kind"),
    [
        (Mood.REFUSED, "connect"),
        (Mood.UNREACHABLE, "connect"),
        (Mood.NAMELESS, "dns"),
        (Mood.SILENT, "connect"),
    ],
)
async def test_who_cannot_dial_learns_why_and_nothing_left(
    autojump_clock: MockClock, mood: Mood, kind: str
) -> None:
    async with online() as (internet, _), channel(internet) as (there, machine):
        internet.mood = mood
        assert await fail(there) == (kind, False)
        assert autojump_clock.current_time() < 10
        how = Dialling(f"ws://{ADDRESS}", TLS, None, 5_000, network=machine, plain=True)
        with pytest.raises(DialError) as caught:
            async with dial(how):
                pass
        assert caught.value.kind in {kind, "timeout"}


@pytest.mark.parametrize("blow", [Blow.RESET, Blow.TEAR, Blow.HALF_OPEN, Blow.DUMB])
async def test_a_broken_connection_is_known_before_the_deadline_or_at_it(
    autojump_clock: MockClock, blow: Blow
) -> None:
    async with online() as (internet, _), channel(internet) as (there, _):
        assert await post(there) == b"hello"
        internet.befall(blow)
        kinds = [(await outcome(there)) for _ in range(3)]
        assert kinds[-1] == "hello"
        assert {*kinds[:-1]} <= {"hello", "reset", "timeout", "protocol"}
        assert autojump_clock.current_time() < 100


async def outcome(there: Channel) -> str:
    try:
        return (await post(there)).decode()
    except Failure as failure:
        return failure.kind


def tear_the_write_after_next(plug: Plug) -> None:
    """Let headers through, and break the body."""

    def delay_s() -> float:
        plug.is_torn = True
        return 0.0

    plug._delay = delay_s  # noqa: SLF001 - it is asked at every write.


async def test_a_write_that_breaks_leaves_no_generator_behind(
    autojump_clock: MockClock,
) -> None:
    # Warnings are errors here: one left to the collector would fail this test.
    async with online() as (internet, _), channel(internet) as (there, _):
        assert await post(there) == b"hello"
        for plug in internet.open_plugs():
            tear_the_write_after_next(plug)
        assert await fail(there) == ("reset", True)
        assert autojump_clock.current_time() < 10
    gc.collect()


async def test_a_machine_that_dies_loses_its_connections(
    autojump_clock: MockClock,
) -> None:
    ended = trio.Event()

    async def listens(end: End) -> None:
        await read_request(end)
        await end.until_left()
        ended.set()

    async with online(listens) as (internet, _), channel(internet) as (there, machine):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(fail, there)
            await trio.sleep(1)
            machine.die(silently=False)
            await ended.wait()
        assert await fail(there) == ("reset", True)
        assert autojump_clock.current_time() < 3


async def test_bytes_stay_in_order_whatever_each_of_them_takes() -> None:
    delays = iter([0.5, 0.1, 0.3, 0.0])

    async def sends(end: End) -> None:
        for word in (b"one ", b"two ", b"three"):
            await end.send_all(word)
        await end.aclose()

    async with online(sends) as (internet, _):
        plug = await internet.dial(ADDRESS)
        assert isinstance(plug, Plug)
        plug.other._delay = lambda: next(delays)  # noqa: SLF001 - to know them.
        found = b""
        while more := await plug.receive_some(4):
            found += more
        assert found == b"one two three"
