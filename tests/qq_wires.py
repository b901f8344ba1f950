"""What carries an account's calls to the simulated platform, without any socket."""

from collections.abc import Coroutine, Mapping
from typing import Any, Protocol

from holdfast.io.draft import Draft
from holdfast.io.http import Failure, Response
from holdfast.replay.world import qq as world
from holdfast.replay.world.qq_state import Peer
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
