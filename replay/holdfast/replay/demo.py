"""`holdfast demo`: the founding incidents, live, in seconds, and their replay.

The service is the real one: real HTTP and WebSocket over loopback, a real journal on
disk, real time. Only the policy is short, so that minutes of waiting become tenths of
seconds. A few incidents run at the same time; they are told one after the other.
"""

import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import click
import trio

from holdfast.io import Patience, Surroundings
from holdfast.io.clock import SystemClock
from holdfast.replay.exits import DIFFERENT
from holdfast.replay.exporting import export_window
from holdfast.replay.incidents import INCIDENTS, Incident
from holdfast.replay.incidents.stage import ExpectationError, Wings
from holdfast.replay.player import Verdict, play

AT_ONCE = 4
PLAY_S_MAX = 20.0
SHOWN = tuple(incident for incident in INCIDENTS if incident.shown)


class Line(NamedTuple):
    """A line to be told, and how it looks."""

    text: str
    fg: str | None = None
    bold: bool = False


class Teller:
    """Tells what happens in one incident, once those before it have been told."""

    def __init__(self) -> None:
        self.done = trio.Event()
        self.facts: int | None = None
        self._held: list[Line] | None = []

    def tell(self, line: Line) -> None:
        """Tell a line, now or when it is this incident's turn."""
        if self._held is None:
            _say(line)
        else:
            self._held.append(line)

    def begin(self) -> None:
        """Tell what was held back, and from now on everything at once."""
        held, self._held = self._held or [], None
        for line in held:
            _say(line)


def run_demo(keep: Path | None) -> int:
    """Run it and print what happens; return the exit code."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="holdfast-demo-") as scratch:
        folder = keep or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        told = trio.run(_live_all, Path(scratch), folder)
    took_s = time.monotonic() - began
    facts = [teller.facts for teller in told if teller.facts is not None]
    if failed := len(told) - len(facts):
        what = f"{failed} of {len(told)} incidents did not end well"
        _say(Line(f"\n{what}", fg="red"))
        return DIFFERENT
    end = (
        f"\n{len(told)} incidents lived through in {took_s:.1f} s: nothing lost,"
        f" nothing doubled;\n{sum(facts)} recorded facts replayed, every command and"
        " state equal"
    )
    _say(Line(end, fg="green", bold=True))
    if keep:
        click.echo(f"look closer: holdfast show {keep}/{SHOWN[0].name}.jsonl")
    return 0


async def _live_all(scratch: Path, folder: Path) -> list[Teller]:
    """Live through everything, a few at a time, and tell it in order."""
    tellers = [Teller() for _ in SHOWN]
    seats = trio.Semaphore(AT_ONCE)

    async def live(incident: Incident, teller: Teller) -> None:
        try:
            teller.facts = await _live(incident, teller, scratch, folder)
        finally:
            seats.release()
            teller.done.set()

    async def begin(nursery: trio.Nursery) -> None:
        for incident, teller in zip(SHOWN, tellers, strict=True):
            await seats.acquire()
            nursery.start_soon(live, incident, teller)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(begin, nursery)
        for teller in tellers:
            teller.begin()
            await teller.done.wait()
    return tellers


async def _live(
    incident: Incident, teller: Teller, scratch: Path, folder: Path
) -> int | None:
    """Live through one incident and replay it; return its facts, None if it failed."""
    teller.tell(Line(f"\n{incident.story}", bold=True))
    home = scratch / incident.name
    home.mkdir()
    facts = None
    try:
        await _play(incident, teller, home)
        # In a thread: the other incidents must not wait for it.
        facts, line = await trio.to_thread.run_sync(_replay, incident, home, folder)
        teller.tell(line)
    except* (ExpectationError, trio.TooSlowError) as errors:
        teller.tell(Line(f"  FAILED: {_first(errors)}", fg="red"))
    return facts


def _first(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    error: BaseException = errors
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


async def _play(incident: Incident, teller: Teller, folder: Path) -> None:
    surroundings = Surroundings(
        SystemClock(), patience=Patience(sends_s=1.0, poll_s=0.0, all_s=3.0)
    )
    wings = Wings(folder, surroundings, lambda text: teller.tell(Line(f"  {text}")))
    house = incident.house
    with trio.fail_after(PLAY_S_MAX):
        async with house.open_stage(house.short, wings) as stage:
            await incident.play(stage)


def _replay(incident: Incident, scratch: Path, folder: Path) -> tuple[int | None, Line]:
    """Export and replay; return how many facts, and what to tell."""
    recording = folder / f"{incident.name}.jsonl"
    account = incident.house.account
    facts = export_window(scratch / "data", account, 0, 1 << 62, recording)
    result = play(recording)
    if result.verdict is not Verdict.SAME:
        return None, Line(f"  replay: {result.verdict} {result.divergence}", fg="red")
    return facts, Line(f"  recorded and replayed: {facts} facts, all equal", fg="green")


def _say(line: Line) -> None:
    click.secho(line.text, fg=line.fg, bold=line.bold)
