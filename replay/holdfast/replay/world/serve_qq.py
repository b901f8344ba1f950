"""The simulated QQ platform over real HTTP/1.1 and WebSocket on one port of loopback.

::

    async with serve_qq(Settings(recycle_ms=None)) as served:
        client = SomeClient(token_url=served.token_url, base_url=served.url)
        await served.until(lambda peer: peer.counts.readies)    # it has identified
        asked = served.say("hello")                             # an event goes out
        served.arm(Closing(close=4009))
        peer = await served.until(lambda peer: peer.counts.resumed)
        assert peer.violations == ()

Everything runs in the trio loop of the caller, without threads, so under
``trio.testing.MockClock(autojump_threshold=0)`` half an hour takes milliseconds.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from functools import partial

import trio
from msgspec.structs import replace

from holdfast.replay.world import qq
from holdfast.replay.world.online import Clock, keep_door, keep_time, wall_clock
from holdfast.replay.world.qq_faults import Script
from holdfast.replay.world.qq_settings import Settings
from holdfast.replay.world.qq_state import Peer
from holdfast.replay.world.qq_wire import Close, Left, Out
from holdfast.replay.world.serve_door import Door, Entrance
from holdfast.replay.world.serve_http import Line
from holdfast.replay.world.serve_ws import CLOSE_S, Tube, wants_websocket
from holdfast.replay.world.served_qq import ServedQq
from holdfast.replay.world.wire import Reply, Request

__all__ = ["ServedQq", "serve_qq", "serve_qq_forever"]


@asynccontextmanager
async def serve_qq(
    peer: Peer | Settings | None = None,
    *,
    port: int = 0,
    script: Script | None = None,
    now_ms: Clock | None = None,
    door: Entrance | None = None,
) -> AsyncIterator[ServedQq]:
    """Put a platform online on loopback; take it off again at the end of the block.

    Port 0 takes any free one; read `url`. `now_ms` must go as trio's clock goes, or
    nothing is ever due: leave it out for the time of day, or give `clock_from(0)`.
    `door` is where clients come in instead of a port.
    """
    clock = now_ms or wall_clock()
    served = ServedQq(_started(peer, clock(), script), clock)
    with closing(door or Door(port)) as entrance:
        await entrance.bind()
        served.url = f"http://{entrance.address}"
        served.become(_addressed(served.peer, f"ws://{entrance.address}/websocket/"))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(keep_time, served, qq)
            converse = partial(_converse, served)
            await nursery.start(keep_door, served, entrance, qq, converse)
            yield served
            nursery.cancel_scope.cancel()


async def serve_qq_forever(
    settings: Settings | None,
    port: int,
    script: Script | None = None,
    *,
    task_status: trio.TaskStatus[ServedQq] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve a platform until cancelled; `nursery.start` returns it once it listens."""
    async with serve_qq(settings, port=port, script=script) as served:
        task_status.started(served)
        await trio.sleep_forever()


def _started(peer: Peer | Settings | None, at_ms: int, script: Script | None) -> Peer:
    """Return the platform to begin with; sockets of an earlier server are no more."""
    if not isinstance(peer, Peer):
        return qq.new_qq(peer, at_ms=at_ms, script=script)
    for number in [*peer.sockets]:
        peer = qq.leave(peer, at_ms, number)
    return qq.load(peer, at_ms, script or Script())


def _addressed(peer: Peer, address: str) -> Peer:
    return replace(peer, settings=replace(peer.settings, address=address))


async def _converse(served: ServedQq, line: Line) -> None:
    """Carry one connection: requests in turn, or a handshake and what follows it."""
    while request := await line.read():
        outcome: int | Reply
        if wants_websocket(request):
            await served.thaw()
            peer, outcome = qq.connect(served.peer, served.now_ms(), request)
        else:
            peer, outcome = qq.answer(served.peer, served.now_ms(), request)
        if isinstance(outcome, int):
            outs = served.attach(outcome)
            served.become(peer)
            await _carry(served, Tube(line), request, outcome, outs)
            return
        served.become(peer)
        if not await _write(line, outcome):
            return


async def _write(line: Line, reply: Reply) -> bool:
    """Wait and write; return False when the client left before the answer."""
    delay_s = reply.delay_ms / 1_000
    if delay_s and not await line.attend(trio.sleep, delay_s):
        return False
    try:
        await line.write(reply)
    except trio.BrokenResourceError:
        return False
    return True


async def _carry(
    served: ServedQq,
    tube: Tube,
    request: Request,
    number: int,
    outs: trio.MemoryReceiveChannel[Out],
) -> None:
    """Carry a WebSocket connection until one side has ended it."""
    try:
        if await tube.accept(request):
            await _talk(served, tube, number, outs)
    finally:
        served.detach(number)
        served.hear(number, Left())


async def _talk(
    served: ServedQq, tube: Tube, number: int, outs: trio.MemoryReceiveChannel[Out]
) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_tell, tube, outs, nursery.cancel_scope)
        await _listen(served, tube, number)
        nursery.cancel_scope.cancel()
    await tube.finish()


async def _tell(
    tube: Tube, outs: trio.MemoryReceiveChannel[Out], scope: trio.CancelScope
) -> None:
    """Do what the platform does; after a close frame, wait for the answer to it."""
    async for out in outs:
        if not await tube.write(out):
            scope.cancel()
        elif isinstance(out, Close):
            scope.deadline = trio.current_time() + CLOSE_S
            return


async def _listen(served: ServedQq, tube: Tube, number: int) -> None:
    """Let the platform hear what the client says, until it leaves."""
    while True:
        data = await tube.receive()
        await served.thaw()
        for heard in tube.take(data):
            served.hear(number, heard)
            if isinstance(heard, Left):
                return
