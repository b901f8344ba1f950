"""The journal's time: whatever the wall does, it never goes back and never stands."""

import time

import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock

from holdfast.io.clock import SystemClock, Timeline, TrioClock

HOUR_MS = 3_600_000
WALL_MS = 1_790_000_000_000


class Hands:
    """A clock whose two halves are moved by hand."""

    def __init__(self) -> None:
        self.wall = WALL_MS
        self.mono = 77

    def wall_ms(self) -> int:
        return self.wall

    def mono_ms(self) -> int:
        return self.mono

    def go(self, ms: int) -> None:
        """Let time pass as it does on a good machine."""
        self.wall += ms
        self.mono += ms


def test_time_is_the_walls_as_long_as_the_wall_behaves() -> None:
    hands = Hands()
    line = Timeline(hands)
    assert line.now_ms() == WALL_MS
    hands.go(1_500)
    assert line.now_ms() == WALL_MS + 1_500


def test_time_does_not_go_back_when_the_wall_does() -> None:
    hands = Hands()
    line = Timeline(hands)
    hands.wall -= HOUR_MS
    assert line.now_ms() == WALL_MS


def test_a_wall_set_back_does_not_stop_time() -> None:
    hands = Hands()
    line = Timeline(hands)
    hands.wall -= HOUR_MS
    hands.go(10_000)
    assert line.now_ms() == WALL_MS + 10_000
    hands.go(5)
    assert line.now_ms() == WALL_MS + 10_005


def test_time_is_the_walls_again_once_the_wall_is_ahead() -> None:
    hands = Hands()
    line = Timeline(hands)
    hands.wall -= HOUR_MS
    hands.go(10_000)
    assert line.now_ms() == WALL_MS + 10_000
    hands.wall += 2 * HOUR_MS
    assert line.now_ms() == WALL_MS + HOUR_MS + 10_000
    hands.go(7)
    assert line.now_ms() == hands.wall


def test_a_wall_set_forward_is_followed_at_once() -> None:
    hands = Hands()
    line = Timeline(hands)
    hands.wall += HOUR_MS
    assert line.now_ms() == WALL_MS + HOUR_MS


def test_time_goes_on_where_the_journal_ended_though_the_wall_is_behind() -> None:
    hands = Hands()
    line = Timeline(hands, WALL_MS + HOUR_MS)
    assert line.now_ms() == WALL_MS + HOUR_MS
    hands.go(3_000)
    assert line.now_ms() == WALL_MS + HOUR_MS + 3_000


def test_an_old_journal_does_not_hold_time_back() -> None:
    assert Timeline(Hands(), WALL_MS - HOUR_MS).now_ms() == WALL_MS


@given(
    st.integers(-HOUR_MS, HOUR_MS),
    st.lists(st.tuples(st.integers(-HOUR_MS, HOUR_MS), st.integers(0, HOUR_MS))),
)
def test_time_is_never_behind_the_wall_nor_slower_than_the_monotonic_clock(
    ahead_ms: int, steps: list[tuple[int, int]]
) -> None:
    hands = Hands()
    line = Timeline(hands, WALL_MS + ahead_ms)
    before_ms = line.now_ms()
    for jump_ms, passed_ms in steps:
        hands.wall += jump_ms
        hands.go(passed_ms)
        now_ms = line.now_ms()
        assert now_ms >= before_ms + passed_ms
        assert now_ms >= hands.wall
        assert now_ms in {before_ms + passed_ms, hands.wall}
        before_ms = now_ms


async def test_the_virtual_clock_goes_as_trio_goes(autojump_clock: MockClock) -> None:
    await trio.sleep(5)
    clock = TrioClock(WALL_MS)
    assert (clock.wall_ms(), clock.mono_ms()) == (WALL_MS, 0)
    await trio.sleep(0.25)
    assert (clock.wall_ms(), clock.mono_ms()) == (WALL_MS + 250, 250)
    assert autojump_clock.current_time() == trio.current_time()


async def test_sleeping_until_a_time_never_ends_before_it(
    autojump_clock: MockClock,
) -> None:
    assert autojump_clock.autojump_threshold == 0
    clock = TrioClock(WALL_MS)
    for ms in (1, 3, 7, 1_001, 33_333):
        due_ms = clock.wall_ms() + ms
        await trio.sleep(ms / 1000)
        assert clock.wall_ms() == due_ms


def test_the_machines_clock_shows_milliseconds_and_goes_on() -> None:
    clock = SystemClock()
    before_ms = time.time_ns() // 1_000_000
    assert before_ms <= clock.wall_ms() <= time.time_ns() // 1_000_000
    assert clock.mono_ms() <= clock.mono_ms()
