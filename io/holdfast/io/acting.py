"""Acting: what an owner's commands set going, and what is under way of it.

Commands are carried out in the order given. What waits (a request, a timer, a socket)
becomes a task, and whatever comes of it returns through the inbox as a fact.
"""

from collections.abc import Awaitable, Callable

import trio

from holdfast.core.commands import (
    ClearTimer,
    CloseSocket,
    Command,
    FetchGateway,
    FetchToken,
    Heartbeat,
    Identify,
    NotifyStart,
    NotifyStop,
    OpenSocket,
    Ping,
    Poll,
    ReloadCredentials,
    Resume,
    Send,
    SetTimer,
)
from holdfast.core.events import TimerFired
from holdfast.io.draft import Draft
from holdfast.io.letters import Letterbox
from holdfast.io.login import Login
from holdfast.io.rules import Gateway, Peer


class Acting:
    """One account's timers, its poll or socket, and what it asked."""

    def __init__(
        self, peer: Peer, login: Login, letters: Letterbox, now_ms: Callable[[], int]
    ) -> None:
        self._peer = peer
        self._login = login
        self._letters = letters
        self._now_ms = now_ms
        self._timers: dict[str, trio.CancelScope] = {}
        # An account has a poll or a socket, and one of it.
        self._transport = trio.CancelScope()
        self._asking = 0
        self._polling = 0
        self._settled = trio.Event()

    def act(self, command: Command, nursery: trio.Nursery) -> None:
        """Carry out one command; only what waits becomes a task."""
        match command:
            case SetTimer():
                scope = self._replace_timer(command.name)
                nursery.start_soon(self._sleep, command, scope)
            case ClearTimer():
                self._replace_timer(command.name)
            case ReloadCredentials():
                nursery.start_soon(self._reload)
            case Poll():
                scope = self._replace_transport()
                nursery.start_soon(self._perform_poll, command, scope)
            case OpenSocket():
                scope = self._replace_transport()
                # Called now, so that the next command already finds it.
                socket = self._gateway.converse(command, self._letters.post)
                nursery.start_soon(self._hold, socket, scope)
            case Identify() | Resume() | Heartbeat() | Ping() | CloseSocket():
                self._gateway.tell(command)
            case Send() | NotifyStart() | NotifyStop() | FetchToken() | FetchGateway():
                self._asking += 1
                nursery.start_soon(self._perform, command)
            case _:
                # Offers, reports and forgotten values go into the journal with the
                # next note; the host hears of everything when it was stepped.
                pass

    async def settle(self, *, grace_s: float, poll_grace_s: float) -> None:
        """Wait for what was asked, then for the poll or socket, each for its time."""
        with trio.move_on_after(grace_s):
            await self._until(lambda: not self._asking)
        with trio.move_on_after(poll_grace_s):
            await self._until(lambda: not self._polling)

    @property
    def _gateway(self) -> Gateway:
        assert isinstance(self._peer, Gateway), "this platform has no sockets"
        return self._peer

    def _replace_timer(self, name: str) -> trio.CancelScope:
        if old := self._timers.pop(name, None):
            old.cancel()
        scope = self._timers[name] = trio.CancelScope()
        return scope

    def _replace_transport(self) -> trio.CancelScope:
        self._transport.cancel()
        self._transport = trio.CancelScope()
        self._polling += 1
        return self._transport

    async def _sleep(self, command: SetTimer, scope: trio.CancelScope) -> None:
        with scope:
            wait_ms = max(0, command.due_ms - self._now_ms())
            await trio.sleep(wait_ms / 1000)
            fired = TimerFired(command.name, command.due_ms)
            await self._letters.post(Draft((fired,)))

    async def _reload(self) -> None:
        await self._letters.post(self._login.read())

    async def _perform(self, command: Command) -> None:
        try:
            draft = await self._peer.perform(command)
            await self._letters.deliver(draft)
        finally:
            self._asking -= 1
            self._wake()

    async def _perform_poll(self, command: Poll, scope: trio.CancelScope) -> None:
        try:
            with scope:
                draft = await self._peer.perform(command)
                # Once the answer is here it is recorded, whatever replaces the poll.
                with trio.CancelScope(shield=True):
                    await self._letters.deliver(draft)
        finally:
            self._polling -= 1
            self._wake()

    async def _hold(self, socket: Awaitable[None], scope: trio.CancelScope) -> None:
        try:
            with scope:
                await socket
        finally:
            self._polling -= 1
            self._wake()

    def _wake(self) -> None:
        self._settled.set()
        self._settled = trio.Event()

    async def _until(self, holds: Callable[[], bool]) -> None:
        while not holds():
            await self._settled.wait()
