"""What the tests of the shell share: services and owners on a peer, raw servers."""

import math
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import pytest
import trio
from msgspec import Struct
from trio.testing import MockClock

from holdfast.core.commands import Command
from holdfast.core.events import Event, Fact
from holdfast.core.weixin_account import Weixin
from holdfast.io import Config, Service, Surroundings, open_service
from holdfast.io.clock import Clock, TrioClock
from holdfast.io.config import Account, WeixinAccount
from holdfast.io.config import Service as ServiceTable
from holdfast.io.journal import Journal, open_journal
from holdfast.io.journal_read import JournalReader
from holdfast.io.journal_rows import Entry
from holdfast.io.owner import Owner
from holdfast.io.recovery import decode_event, read_facts
from holdfast.replay.world.serve import Served, clock_from, serve_weixin
from holdfast.replay.world.weixin_settings import Settings

START_MS = 1_790_000_000_000
ALICE, BOB = "alice", "bob"
BOT = "agent"
TEST_S_MAX = 2 * 86_400
NOWHERE = "http://127.0.0.1:9"
E = TypeVar("E", bound=Event)


class Wall:
    """A clock whose wall can be set; its monotonic half goes as trio's time goes."""

    def __init__(self, start_ms: int = START_MS) -> None:
        self._clock = TrioClock(start_ms)
        self.moved_ms = 0

    def wall_ms(self) -> int:
        return self._clock.wall_ms() + self.moved_ms

    def mono_ms(self) -> int:
        return self._clock.mono_ms()


def around(clock: Clock | None = None) -> Surroundings:
    """Return surroundings in virtual time that begin now."""
    return Surroundings(clock or TrioClock(START_MS), threaded=False, seed=lambda: 7)


@asynccontextmanager
async def online(
    clock: MockClock, settings: Settings | None = None
) -> AsyncIterator[Served]:
    """Put a strict peer online that goes by virtual time."""
    assert clock.autojump_threshold == 0, "only so do hours pass at once"
    async with serve_weixin(settings, now_ms=clock_from(START_MS)) as served:
        # Whoever waits for what never comes waits for this.
        with trio.fail_after(TEST_S_MAX):
            yield served


def write_token(path: Path, token: str) -> None:
    path.write_text(f"{token}\n")
    path.chmod(0o600)


def account(
    peer: Served | str, folder: Path, name: str = ALICE, **changes: Any
) -> WeixinAccount:
    """Return an account at a peer, whose token lies on disk, or at an address."""
    token_file = folder / f"{name}.token"
    if isinstance(peer, Served):
        write_token(token_file, peer.peer.token)
    url = peer.url if isinstance(peer, Served) else peer
    given: dict[str, Any] = {"base_url": url, "token_file": token_file} | changes
    return WeixinAccount(name=name, platform="weixin", **given)


def config(folder: Path, *accounts: Account) -> Config:
    data_dir = folder / "data"
    table = ServiceTable(data_dir=data_dir, api_token_file=data_dir / "api_token")
    return Config(table, {one.name: one for one in accounts})


class Told(Struct, frozen=True):
    """One fact as a watcher of the service was told."""

    account: str
    fact: Fact
    before: Weixin
    after: Weixin
    commands: list[Command]


class Shell:
    """A running service and what it lived through."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.told: list[Told] = []
        self._changed = trio.Event()
        service.watch(self._note)

    @property
    def owner(self) -> Owner:
        return self.service.owners[ALICE]

    @property
    def state(self) -> Weixin:
        state = self.owner.state
        assert isinstance(state, Weixin)
        return state

    def events(self, kind: type[E]) -> list[E]:
        """Return what was told of one kind, over all accounts."""
        return [it.fact.event for it in self.told if isinstance(it.fact.event, kind)]

    async def until(self, holds: Callable[[Weixin], object]) -> None:
        """Wait until something holds for the first account, once it has started."""
        owner = next(iter(self.service.owners.values()))
        while True:
            changed = self._changed
            state = owner.state
            assert isinstance(state, Weixin)
            if self.told and holds(state):
                return
            await changed.wait()

    def _note(self, *told: Any) -> None:
        self.told.append(Told(*told))
        changed, self._changed = self._changed, trio.Event()
        changed.set()


@asynccontextmanager
async def living(
    setup: Config, surroundings: Surroundings | None = None
) -> AsyncIterator[Shell]:
    """Open a service in virtual time."""
    async with open_service(setup, surroundings or around()) as service:
        yield Shell(service)


async def offered(
    shell: Shell, consumer: str = BOT, *, within_s: float = 100
) -> list[str]:
    """Finish what a consumer is offered within a time; return the texts."""
    texts = []
    stream = shell.service.messages(consumer)
    with trio.move_on_after(within_s):
        async for message in stream:
            texts.append(message.text)
            await message.done()
    stream.close()
    return texts


def polling(state: Weixin) -> bool:
    """Say whether an account is well and polls."""
    return state.session.phase == "active" and state.connection.dialed_ms > 0


def recorded(folder: Path, name: str = ALICE) -> list[Fact]:
    """Return every fact of an account, read as another process would."""
    with JournalReader(folder / "data") as reader:
        rows = read_facts(reader, name, 0)
        return [Fact(row.seq, row.at_ms, decode_event(row.event)) for row in rows]


class Gate:
    """Stands behind the disk: what came in is durable, but its owner is not yet told.

    Make it before the service. It is open until it is `shut`.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.entries: list[Entry] = []
        self._monkeypatch = monkeypatch
        self._is_shut = False
        self._waiting: list[trio.Event] = []
        self._came = trio.Event()
        monkeypatch.setattr("holdfast.io.assembly.open_journal", self.open_journal)

    @asynccontextmanager
    async def open_journal(self, *args: Any, **more: Any) -> AsyncIterator[Journal]:
        async with open_journal(*args, **more) as journal:
            append = partial(self._append, journal.append)
            self._monkeypatch.setattr(journal, "append", append)
            yield journal

    def shut(self) -> None:
        self._is_shut = True

    def open(self) -> None:
        """Let everybody through, now and later."""
        self._is_shut = False
        self.let_through()

    def let_through(self) -> None:
        """Let through who waits, and nobody who comes later."""
        waiting, self._waiting = self._waiting, []
        for event in waiting:
            event.set()

    async def reached(self) -> None:
        """Wait until somebody waits before the gate."""
        while not self._waiting:
            await self._came.wait()

    async def _append(
        self, append: Callable[[Entry], Awaitable[None]], entry: Entry
    ) -> None:
        self.entries.append(entry)
        await append(entry)
        if self._is_shut:
            mine = trio.Event()
            self._waiting.append(mine)
            came, self._came = self._came, trio.Event()
            came.set()
            await mine.wait()


Converse = Callable[[trio.SocketStream], Awaitable[None]]


@asynccontextmanager
async def raw_server(converse: Converse, scheme: str = "http") -> AsyncIterator[str]:
    """Serve connections on loopback byte by byte, and give the address."""

    async def handle(stream: trio.SocketStream) -> None:
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            await converse(stream)

    async with trio.open_nursery() as nursery:
        serve = partial(trio.serve_tcp, handle, 0, host="127.0.0.1")
        listeners: list[trio.SocketListener] = await nursery.start(serve)
        yield f"{scheme}://127.0.0.1:{listeners[0].socket.getsockname()[1]}"
        nursery.cancel_scope.cancel()


async def read_request(stream: trio.abc.Stream) -> bytes:
    """Read one request with its body; b"" when the client has gone."""
    data, size = b"", math.inf
    while len(data) < size:
        more = await stream.receive_some(65_536)
        if not more:
            return b""
        data += more
        head, end, _ = data.partition(b"\r\n\r\n")
        if end:
            lengths = [
                int(line.partition(b":")[2])
                for line in head.lower().split(b"\r\n")
                if line.startswith(b"content-length:")
            ]
            size = len(head) + len(end) + sum(lengths)
    return data


def answer(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    """Return an honest HTTP answer."""
    lines = [f"HTTP/1.1 {status}", *headers, f"Content-Length: {len(body)}", "", ""]
    return "\r\n".join(lines).encode() + body


def answering(
    body: bytes, *headers: str, status: str = "200 OK"
) -> Callable[[trio.abc.Stream], Awaitable[None]]:
    """Return a server that gives the same answer to everything."""
    whole = answer(body, *headers, status=status)

    async def converse(stream: trio.abc.Stream) -> None:
        while await read_request(stream):
            await stream.send_all(whole)

    return converse


def answering_once(path: str, body: bytes) -> Converse:
    """Return a peer that answers the first call of a path so, and later ones never."""
    answers = [answer(body)]

    async def converse(stream: trio.SocketStream) -> None:
        while request := await read_request(stream):
            if f"/{path} ".encode() not in request:
                await stream.send_all(answer(b'{"ret":0}'))
            elif answers:
                await stream.send_all(answers.pop())
            else:
                await trio.sleep_forever()

    return converse
