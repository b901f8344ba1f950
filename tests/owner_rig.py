"""An owner that plays a script: its facts mean what a test says they mean."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio
from msgspec.structs import replace
from shell_rig import ALICE, NOWHERE, START_MS, account
from trio.testing import MockClock

from holdfast.core import weixin
from holdfast.core.commands import Command, SetTimer
from holdfast.core.events import Fact, MessageDone, TimerFired
from holdfast.core.policy import Policy
from holdfast.core.weixin_account import Weixin
from holdfast.io.clock import TrioClock
from holdfast.io.credentials import CredentialSource
from holdfast.io.draft import Draft
from holdfast.io.journal import Journal, open_journal
from holdfast.io.login import Login
from holdfast.io.owner import Owner
from holdfast.io.platforms import PLATFORMS, WEIXIN
from holdfast.io.recovery import recover
from holdfast.io.rules import Check, Peer
from holdfast.io.seat import Seat
from holdfast.io.vault import Vault

POLICY = weixin.POLICY
Script = dict[str, Callable[[Fact], list[Command]]]


class Play:
    """A step that does what a script says, and a host and a peer that take notes."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.platform = replace(WEIXIN, step=self.step, broken=lambda *_: [])
        self.log: list[str] = []
        self.fired: list[tuple[int, TimerFired]] = []

    def step(
        self, state: Weixin, fact: Fact, _policy: Policy
    ) -> tuple[Weixin, list[Command]]:
        if isinstance(fact.event, TimerFired):
            self.fired.append((fact.at_ms - START_MS, fact.event))
        name = named(fact)
        self.log.append(f"step {name}")
        commands = self.script.get(name)
        return state, commands(fact) if commands else []

    def stepped(self, _account: str, fact: Fact, *_: Any) -> None:
        self.log.append(f"told {named(fact)}")

    async def perform(self, command: Command) -> Draft:
        self.log.append(f"ask {type(command).__name__}")
        await trio.sleep_forever()
        raise AssertionError("unreachable")


def named(fact: Fact) -> str:
    """Return what a script calls this fact."""
    event = fact.event
    return event.consumer if isinstance(event, MessageDone) else type(event).__name__


def happens(*names: str) -> Draft:
    """Return a draft of facts that mean nothing but what the script says."""
    return Draft(tuple(MessageDone(name, 1, 0) for name in names))


def timer(name: str, after_ms: int) -> Callable[[Fact], list[Command]]:
    return lambda fact: [SetTimer(name, fact.at_ms + after_ms)]


@asynccontextmanager
async def owning(
    folder: Path,
    script: Script,
    monkeypatch: pytest.MonkeyPatch | None = None,
    peer: Peer | None = None,
) -> AsyncIterator[tuple[Owner, Play]]:
    """Run an owner that plays a script, on a real journal, in virtual time."""
    play = Play(script)
    async with open_journal(folder / "data", threaded=False) as journal:
        if monkeypatch:
            take_notes(journal, play, monkeypatch)
        owner = Owner(
            seat(folder, journal, play, peer), recover(journal, ALICE, WEIXIN, POLICY)
        )
        async with trio.open_nursery() as nursery:
            nursery.start_soon(owner.run)
            try:
                with trio.fail_after(3_600):
                    yield owner, play
            finally:
                owner.cut_off()


def seat(folder: Path, journal: Journal, play: Play, peer: Peer | None = None) -> Seat:
    source = CredentialSource(account(NOWHERE, folder), {})
    vault = Vault(journal.key, ALICE, journal)
    return Seat(
        account=ALICE,
        policy=POLICY,
        platform=play.platform,
        peer=peer or play,
        login=Login(source, vault),
        journal=journal,
        clock=TrioClock(START_MS),
        host=play,
        seed=7,
    )


def take_notes(journal: Journal, play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    """Write down when an append begins and ends; it takes a second."""
    append = journal.append

    async def slowly(entry: Any) -> None:
        play.log.append(f"append {len(entry.facts)}")
        await append(entry)
        assert isinstance(trio.lowlevel.current_clock(), MockClock)
        await trio.sleep(1)
        play.log.append("appended")

    monkeypatch.setattr(journal, "append", slowly)


def check_with(monkeypatch: pytest.MonkeyPatch, check: Check) -> None:
    """Hold every account to other promises than those of the core."""
    strict = replace(WEIXIN, broken=check)
    monkeypatch.setitem(PLATFORMS, WEIXIN.name, strict)
