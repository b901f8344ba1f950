"""The simulated Weixin peer over real HTTP/1.1 on loopback.

::

    async with serve_weixin(Settings(hold_ms=35_000)) as served:
        client = SomeClient(base_url=served.url, token=served.peer.token)
        await served.until(lambda peer: peer.waiting)          # a poll is held
        served.say("hello")                                    # it is answered now
        served.arm(Code(at="getupdates", errcode=-14, count=1))
        peer = await served.until(lambda peer: peer.shown.get(USER))
        assert peer.shown[USER][0].text == "hi there"
        assert peer.violations == ()

Everything runs in the trio loop of the caller, without threads, so under
``trio.testing.MockClock(autojump_threshold=0)`` a hold of 35 s takes milliseconds.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from functools import partial

import trio

from holdfast.replay.world import weixin
from holdfast.replay.world.online import keep_door, keep_time
from holdfast.replay.world.serve_door import Door, Entrance
from holdfast.replay.world.serve_http import Line
from holdfast.replay.world.served import Clock, Served, clock_from, wall_clock
from holdfast.replay.world.weixin_faults import Script
from holdfast.replay.world.weixin_settings import Settings
from holdfast.replay.world.weixin_state import Peer
from holdfast.replay.world.weixin_wire import Held
from holdfast.replay.world.wire import Reply, Request

__all__ = ["Served", "clock_from", "serve_forever", "serve_weixin", "wall_clock"]


@asynccontextmanager
async def serve_weixin(
    peer: Peer | Settings | None = None,
    *,
    port: int = 0,
    script: Script | None = None,
    now_ms: Clock | None = None,
    door: Entrance | None = None,
) -> AsyncIterator[Served]:
    """Put a peer online on loopback and take it off again at the end of the block.

    Port 0 takes any free one; read `url`. `now_ms` must go as trio's clock goes, or
    holds never end: leave it out for the time of day, or give `clock_from(0)`.
    `door` is where clients come in instead of a port.
    """
    clock = now_ms or wall_clock()
    served = Served(_started(peer, clock(), script), clock)
    with closing(door or Door(port)) as entrance:
        await entrance.bind()
        served.url = f"http://{entrance.address}"
        async with trio.open_nursery() as nursery:
            nursery.start_soon(keep_time, served, weixin)
            converse = partial(_converse, served)
            await nursery.start(keep_door, served, entrance, weixin, converse)
            yield served
            nursery.cancel_scope.cancel()


async def serve_forever(
    settings: Settings | None,
    port: int,
    script: Script | None = None,
    *,
    task_status: trio.TaskStatus[Served] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve a peer until cancelled; `nursery.start` returns it once it listens."""
    async with serve_weixin(settings, port=port, script=script) as served:
        task_status.started(served)
        await trio.sleep_forever()


def _started(peer: Peer | Settings | None, at_ms: int, script: Script | None) -> Peer:
    """Return the peer to begin with; polls of an earlier server are no more."""
    if not isinstance(peer, Peer):
        return weixin.new_peer(peer, at_ms=at_ms, script=script)
    for poll in peer.waiting:
        peer = weixin.abandon(peer, at_ms, poll.call.number)
    return weixin.load(peer, at_ms, script or Script())


async def _converse(served: Served, line: Line) -> None:
    """Answer the requests of one connection until it ends."""
    while request := await line.read():
        if not await _exchange(served, line, request):
            return


async def _exchange(served: Served, line: Line, request: Request) -> bool:
    """Answer one request; return False when its client did not stay for the answer."""
    peer, outcome = weixin.answer(served.peer, served.now_ms(), request)
    number, stayed = peer.calls, False
    served.become(peer)
    try:
        stayed = await _answer(served, line, outcome)
    except trio.BrokenResourceError:
        return False
    finally:
        if not stayed:
            served.become(weixin.abandon(served.peer, served.now_ms(), number))
    return stayed


async def _answer(served: Served, line: Line, outcome: Reply | Held) -> bool:
    """Hold, delay and write; return False when the client left before the answer."""
    while isinstance(outcome, Held):
        if not await line.attend(served.pause, served.changed, outcome.until_ms):
            return False
        peer, outcome = weixin.resume(served.peer, served.now_ms(), outcome)
        served.become(peer)
    delay_s = outcome.delay_ms / 1_000
    if delay_s and not await line.attend(trio.sleep, delay_s):
        return False
    await line.write(outcome)
    return True
