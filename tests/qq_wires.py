"""What carries an account's calls to the simulated platform, without any socket."""

from collections.abc import Coroutine, Mapping, Sequence
from typing import Any, Protocol

from holdfast.core.commands import Heartbeat, Identify, Resume
from holdfast.core.events import PartRequest, SendRequested
from holdfast.core.qq_events import PongReceived, SocketClosed
from holdfast.io.draft import Draft
from holdfast.io.http import Failure, Response
from holdfast.io.qq import inbound, wire
from holdfast.io.vault import BODY, CONTEXT, Vault
from holdfast.replay.world import qq as world
from holdfast.replay.world.qq_state import Peer
from holdfast.replay.world.qq_wire import Close, Cut, Frame, Pong
from holdfast.replay.world.wire import Request

TRIP_MS = 10
URL = "http://127.0.0.1"


class Online(Protocol):
    """Who owns the platform, and knows the time."""

    peer: Peer
    now_ms: int

    def collect(self) -> None: ...


class Memory:
    """Keeps the vault's values; a crash does not lose them."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}

    def value(self, handle: str) -> bytes | None:
        return self.kept.get(handle)


class Calls:
    """Carries calls to the model; it answers at once and says after what delay."""

    def __init__(self, life: Online) -> None:
        self._life = life
        self.delay_ms = 0

    async def post(
        self, url: str, headers: Mapping[str, str], body: bytes, timeout_ms: int
    ) -> Response:
        return await self.request("POST", url, headers, body, timeout_ms)

    async def request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes,
        timeout_ms: int,
    ) -> Response:
        life, self.delay_ms = self._life, TRIP_MS
        if not world.is_listening(life.peer, life.now_ms):
            raise Failure("connect", "nobody listens", left=False)
        path = url.removeprefix(URL)
        lower = {name.lower(): value for name, value in headers.items()}
        request = Request(method, path, tuple(lower.items()), body)
        life.peer, reply = world.answer(life.peer, life.now_ms, request)
        life.collect()
        self.delay_ms += reply.delay_ms
        if reply.transport is not None:
            self.delay_ms += timeout_ms
            raise Failure("timeout", f"no answer within {timeout_ms} ms", left=True)
        return Response(reply.status, reply.body)


def finished(coroutine: Coroutine[Any, Any, Draft]) -> Draft:
    """Run what never waits."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        draft: Draft = stop.value
        return draft
    raise AssertionError("it waited")


def frame_of(order: Identify | Resume | Heartbeat, vault: Vault) -> str:
    """Return what is said on the socket for an order."""
    match order:
        case Identify(_, token, intents, shard):
            return wire.identify(vault.token(token), intents, shard)
        case Resume(_, token, session, seq):
            return wire.resume(vault.token(token), vault.text(session), seq)
        case Heartbeat(_, last):
            return wire.heartbeat(last)


def request_of(vault: Vault, to: str, bodies: Sequence[str], reply_to: str) -> Draft:
    """Return the fact that asks for a delivery, and what is kept with it."""
    kept = [vault.seal(BODY, body) for body in bodies]
    parts = tuple(PartRequest(one.handle, 1) for one in kept)
    context = wire.reply_context(reply_to)
    if context:
        kept.append(vault.seal(CONTEXT, context))
    event = SendRequested(to, parts, reply_to=vault.handle(CONTEXT, context))
    return Draft((event,), tuple(kept))


def arrived(out: Frame | Close | Cut | Pong, epoch: int, vault: Vault) -> Draft:
    """Return the fact of what the platform did on the socket."""
    match out:
        case Frame():
            return inbound.receive(wire.open_frame(out.text), epoch, vault)
        case Pong():
            return Draft((PongReceived(epoch),))
        case Close():
            return Draft((SocketClosed(epoch, "closed", out.code, out.reason),))
        case Cut():
            return Draft((SocketClosed(epoch, "reset" if out.reset else "eof"),))
