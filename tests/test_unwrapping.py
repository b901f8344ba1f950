"""Errors that end a service: each leaves `open_service` as what it is."""

import sqlite3
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio
from journal_rig import Faults, connecting, failure
from owner_rig import check_with, happens
from shell_rig import (
    ALICE,
    BOB,
    BOT,
    NOWHERE,
    Shell,
    account,
    config,
    living,
    write_token,
)
from trio.testing import MockClock

from holdfast.core.events import Fact, RetryRequested, TimerFired
from holdfast.core.weixin_account import Weixin
from holdfast.io.journal import open_journal
from holdfast.io.journal_errors import JournalBrokenError
from holdfast.io.owner import InvariantBrokenError

LEAVING_S_MAX = 20
BREAKING = RetryRequested, TimerFired
Waiting = Callable[[Shell], Awaitable[object]]


@pytest.fixture
def breaking(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a retry and the first timer break a promise of the core."""

    def check(_before: Weixin, fact: Fact, *_: Any) -> list[str]:
        return ["[4] a promise"] if isinstance(fact.event, BREAKING) else []

    check_with(monkeypatch, check)


async def raised_in(
    folder: Path, body: Waiting, names: tuple[str, ...] = (ALICE,)
) -> BaseException:
    """Return what comes out of a block that does this."""
    for name in names:
        write_token(folder / f"{name}.token", "secret")
    setup = config(folder, *(account(NOWHERE, folder, name) for name in names))
    with pytest.raises(BaseException) as caught:  # noqa: PT011 - looked at by the test.
        async with living(setup) as shell:
            await body(shell)
    return caught.value


@pytest.mark.parametrize(
    "error",
    [
        ValueError("mine"),
        StopAsyncIteration(),
        KeyboardInterrupt(),
        ExceptionGroup("mine too", [ValueError(), KeyError()]),
        ExceptionGroup("a group of one", [ValueError()]),
    ],
    ids=repr,
)
async def test_what_is_raised_in_the_block_comes_out_as_itself(
    tmp_path: Path, autojump_clock: MockClock, error: BaseException
) -> None:
    cause, context = OSError(), LookupError()

    async def body(_: Shell) -> None:
        try:
            raise context
        except LookupError:
            raise error from cause

    found = await raised_in(tmp_path, body)
    assert autojump_clock.current_time() <= LEAVING_S_MAX
    assert (found.__cause__, found.__context__) == (cause, context)
    if isinstance(error, BaseExceptionGroup):  # Which trio copies on its way.
        assert isinstance(found, BaseExceptionGroup)
        assert found.args == (error.message, list(error.exceptions))
    else:
        assert found is error


async def next_message(shell: Shell) -> object:
    return await anext(shell.service.messages(BOT))


async def settled(shell: Shell) -> object:
    return await (await shell.service.send(ALICE, "somebody", "hi")).settled()


async def retried(shell: Shell) -> None:
    await shell.service.retry(ALICE)


async def slept(_: Shell) -> None:
    await trio.sleep_forever()


@pytest.mark.usefixtures("breaking")
@pytest.mark.parametrize("waiting", [next_message, settled, retried, slept])
async def test_a_broken_promise_comes_out_as_itself_whatever_the_block_waits_for(
    tmp_path: Path, autojump_clock: MockClock, waiting: Waiting
) -> None:
    error = await raised_in(tmp_path, waiting)
    assert isinstance(error, InvariantBrokenError)
    assert "[4] a promise" in str(error)
    assert autojump_clock.current_time() <= 300 + LEAVING_S_MAX


@pytest.mark.usefixtures("breaking")
async def test_unrelated_errors_come_out_together(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async def body(shell: Shell) -> None:
        try:
            await retried(shell)
        finally:
            raise ValueError("mine")

    error = await raised_in(tmp_path, body)
    assert isinstance(error, BaseExceptionGroup)
    assert {type(it) for it in error.exceptions} == {InvariantBrokenError, ValueError}
    assert autojump_clock.current_time() <= LEAVING_S_MAX


async def test_a_dead_journal_is_one_error_whoever_met_it(
    tmp_path: Path, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    faults = Faults()
    opening = partial(open_journal, connect=connecting(faults))
    monkeypatch.setattr("holdfast.io.assembly.open_journal", opening)

    async def body(shell: Shell) -> None:
        async with trio.open_nursery() as nursery:
            await trio.testing.wait_all_tasks_blocked()
            faults.planned = [failure(sqlite3.SQLITE_IOERR_FSYNC)]
            for name in (ALICE, BOB):
                nursery.start_soon(shell.service.owners[name].post, happens("a"))
            await trio.sleep_forever()

    error = await raised_in(tmp_path, body, (ALICE, BOB))
    assert isinstance(error, JournalBrokenError)
    assert "records nothing more" in str(error)
    assert autojump_clock.current_time() <= LEAVING_S_MAX


async def test_an_error_while_cancelled_comes_out_as_itself_too(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    async def body(_: Shell) -> None:
        try:
            await trio.sleep_forever()
        finally:
            raise ValueError("while leaving")

    with trio.move_on_after(50) as scope:
        assert str(await raised_in(tmp_path, body)) == "while leaving"
    assert scope.cancel_called
    assert autojump_clock.current_time() <= 50 + LEAVING_S_MAX
