"""The knobs of the simulation's scheduler still do what they say."""

import gc
from functools import partial

import trio
from trio._core import _run as trio_run

from holdfast.replay.simulate.scheduler import Fuse, chance, scheduled_by

TASKS, TURNS = 8, 4


async def interleave(order: list[int]) -> None:
    async def walk(number: int) -> None:
        for _ in range(TURNS):
            order.append(number)
            await trio.lowlevel.checkpoint()

    async with trio.open_nursery() as nursery:
        for number in range(TASKS):
            nursery.start_soon(walk, number)


def order_of(seed: int) -> list[int]:
    order: list[int] = []
    with scheduled_by(seed):
        trio.run(interleave, order)
    return order


def test_one_seed_gives_one_order_and_many_seeds_many() -> None:
    first = order_of(1)
    assert [order_of(1) for _ in range(5)] == [first] * 5
    assert len({tuple(order_of(seed)) for seed in range(10)}) == 10


def test_afterwards_all_is_as_it_was() -> None:
    allowed = vars(trio_run)["_ALLOW_DETERMINISTIC_SCHEDULING"]
    state = trio_run._r.getstate()  # noqa: SLF001 - the knob itself.
    order_of(1)
    assert vars(trio_run)["_ALLOW_DETERMINISTIC_SCHEDULING"] == allowed
    assert trio_run._r.getstate() == state  # noqa: SLF001 - the knob itself.
    assert gc.isenabled()


def test_chance_is_its_own_for_each_purpose() -> None:
    draws = [chance(1, "disk").random(), chance(1, "network").random()]
    assert draws[0] != draws[1]
    assert draws == [chance(1, "disk").random(), chance(1, "network").random()]


async def test_a_fuse_burns_after_so_many_turns_and_once() -> None:
    order: list[int] = []
    burnt: list[int] = []
    Fuse(5, lambda: burnt.append(len(order)))
    await interleave(order)
    assert burnt
    assert burnt[0] <= 5
    out = Fuse(5, partial(burnt.append, -1))
    out.put_out()
    await interleave(order)
    assert len(burnt) == 1
