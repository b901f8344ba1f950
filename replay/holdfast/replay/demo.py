"""`holdfast demo`: the founding incidents, live, in seconds, and their replay.

The service is the real one: real HTTP over loopback, a real journal on disk, real
time. Only the policy is short, so that minutes of waiting become tenths of seconds.
"""

import tempfile
import time
from pathlib import Path

import click
import trio

from holdfast.core.policy import (
    ConnectionPolicy,
    DeliveryPolicy,
    JournalPolicy,
    PollPolicy,
    SessionPolicy,
)
from holdfast.core.weixin import POLICY
from holdfast.io import Patience, Surroundings
from holdfast.io.clock import SystemClock
from holdfast.replay.exits import DIFFERENT
from holdfast.replay.exporting import export_window
from holdfast.replay.incidents import INCIDENTS, Incident
from holdfast.replay.incidents.stage import ACCOUNT, ExpectationError, set_stage
from holdfast.replay.player import Verdict, play
from holdfast.replay.world.serve import serve_weixin
from holdfast.replay.world.weixin_settings import Settings

HOLD_MS = 600
PLAY_S_MAX = 20.0
SHORT = type(POLICY)(
    session=SessionPolicy(backoff_ms_first=50, backoff_ms_max=300, slow_probe_ms=200),
    connection=ConnectionPolicy(
        backoff_ms_first=20, backoff_ms_max=200, cooldown_ms=100, stable_ms=300
    ),
    delivery=DeliveryPolicy(
        gap_ms_min=15,
        gap_ms_base=20,
        gap_ms_per_part=3,
        throttle_ms_first=30,
        throttle_ms_max=300,
        throttle_jitter_ms=10,
        throttles_max=4,
        unknown_ms_first=50,
        unreached_ms_first=20,
    ),
    poll=PollPolicy(
        hold_ms=HOLD_MS,
        hold_ms_min=100,
        grace_ms=250,
        interval_ms_min=20,
        notify_timeout_ms=500,
        send_timeout_ms=500,
    ),
    journal=JournalPolicy(snapshot_facts=50),
)


def run_demo(keep: Path | None) -> int:
    """Run it and print what happens; return the exit code."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="holdfast-demo-") as scratch:
        folder = keep or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        facts, failed = 0, 0
        for incident in INCIDENTS:
            recorded = _live(incident, Path(scratch) / incident.name, folder)
            failed += recorded is None
            facts += recorded or 0
    took_s = time.monotonic() - began
    if failed:
        _say(f"\n{failed} of {len(INCIDENTS)} incidents did not end well", fg="red")
        return DIFFERENT
    _say(
        f"\n{len(INCIDENTS)} incidents lived through in {took_s:.1f} s: nothing lost,"
        f" nothing doubled;\n{facts} recorded facts replayed, every command and state"
        " equal",
        fg="green",
        bold=True,
    )
    if keep:
        click.echo(f"look closer: holdfast show {keep}/{INCIDENTS[0].name}.jsonl")
    return 0


def _live(incident: Incident, scratch: Path, folder: Path) -> int | None:
    """Live through one incident and replay it; return its facts, None if it failed."""
    _say(f"\n{incident.story}", bold=True)
    scratch.mkdir()
    facts = None
    try:
        trio.run(_play, incident, scratch)
        facts = _replay(incident, scratch, folder)
    except* (ExpectationError, trio.TooSlowError) as errors:
        _say(f"  FAILED: {errors.exceptions[0]}", fg="red")
    return facts


async def _play(incident: Incident, folder: Path) -> None:
    surroundings = Surroundings(
        SystemClock(), patience=Patience(sends_s=1.0, poll_s=0.0, all_s=3.0)
    )
    async with serve_weixin(Settings(hold_ms=HOLD_MS, hint_ms=HOLD_MS)) as served:
        with trio.fail_after(PLAY_S_MAX):
            async with set_stage(
                served, folder, SHORT, surroundings, _narrate
            ) as stage:
                await incident.play(stage)
        for violation in served.peer.violations:
            raise ExpectationError(f"protocol: {violation}")


def _replay(incident: Incident, scratch: Path, folder: Path) -> int | None:
    recording = folder / f"{incident.name}.jsonl"
    facts = export_window(scratch / "data", ACCOUNT, 0, 1 << 62, recording)
    result = play(recording)
    if result.verdict is not Verdict.SAME:
        _say(f"  replay: {result.verdict} {result.divergence}", fg="red")
        return None
    _say(f"  recorded and replayed: {facts} facts, all equal", fg="green")
    return facts


def _narrate(text: str) -> None:
    click.echo(f"  {text}")


def _say(text: str, *, fg: str | None = None, bold: bool = False) -> None:
    click.secho(text, fg=fg, bold=bold)
