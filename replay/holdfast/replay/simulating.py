"""`holdfast simulate`: the real shell in virtual time, and what it did not keep."""

import logging
import math
import secrets
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import click
import msgspec

from holdfast.replay.exits import DIFFERENT, INTERRUPTED, USAGE
from holdfast.replay.exporting import FOREVER_MS, export_window
from holdfast.replay.simulate.run import HEAL_S, HOUR_S, Outcome, Plan, simulate

SEED_BITS = 32
# Parts of an hour that a progress bar counts.
PARTS = 6


def run_simulation(
    platform: str,
    seed: int | None,
    hours: float,
    output: Path | None,
    *,
    as_json: bool,
) -> int:
    """Simulate, tell what came of it, and return the exit code."""
    if not math.isfinite(hours):
        click.echo(f"--hours {hours}: expected a number of hours", err=True)
        return USAGE
    if output is not None and not output.parent.is_dir():
        click.echo(f"{output}: there is no folder {output.parent}", err=True)
        return USAGE
    plan = Plan(platform, secrets.randbits(SEED_BITS) if seed is None else seed, hours)
    began_s = time.monotonic()
    with _unheard(), ExitStack() as undo:
        # Also when the simulation itself fails, which is a finding of another kind.
        undo.callback(click.echo, f"again: {plan.command}", err=True)
        try:
            outcome = _simulate(plan, output)
        except OSError as error:
            click.echo(f"{error.filename or output}: {error.strerror}", err=True)
            return USAGE
        except KeyboardInterrupt:
            return INTERRUPTED
        wall_s = time.monotonic() - began_s
        click.echo(_as_json(outcome) if as_json else _as_text(outcome))
        speed = f"{outcome.hours:.0f} hours in {wall_s:.1f} s"
        click.echo(f"{speed}, {outcome.hours / wall_s:.1f} hours per second", err=True)
        if outcome.findings:
            return DIFFERENT
        undo.pop_all()
    return 0


@contextmanager
def _unheard() -> Iterator[None]:
    """Let the service keep its troubles to itself: they are no news here, but made."""
    log = logging.getLogger("holdfast")
    before = log.level
    log.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        log.setLevel(before)


def _simulate(plan: Plan, output: Path | None) -> Outcome:
    keep: Callable[[Path, str], object] = partial(_keep, output)
    length = round((plan.hours + HEAL_S / HOUR_S) * PARTS)
    shown = click.progressbar(
        length=length,
        label=f"{plan.platform} {plan.seed}",
        file=sys.stderr,
        hidden=not sys.stderr.isatty(),
    )
    with shown as bar:
        return simulate(
            plan, progress=lambda hours: bar.update(round(hours * PARTS)), keep=keep
        )


def _keep(output: Path | None, folder: Path, account: str) -> None:
    if output is not None:
        export_window(folder, account, 0, FOREVER_MS, output)


def _as_json(outcome: Outcome) -> str:
    told = msgspec.to_builtins(outcome) | {"command": outcome.plan.command}
    return msgspec.json.encode(told).decode()


def _as_text(outcome: Outcome) -> str:
    told = outcome
    replies = ", ".join(f"{count} {state}" for state, count in told.replies.items())
    faults = ", ".join(f"{count} {what}" for what, count in told.faults.items())
    again = f"{told.offered_again} offered again after a kill"
    lines = [
        f"{told.plan.platform}, seed {told.plan.seed}: {told.hours:.0f} hours",
        f"  messages  {told.messages}, of which {again}",
        f"  replies   {replies or 'none'}",
        f"  lives     {told.lives}, in {told.facts} facts, digest {told.digest[:16]}",
        f"  went wrong  {faults or 'nothing'}",
        *(f"  {one.kind.upper()}: {one.what}" for one in told.findings),
    ]
    if not told.findings:
        lines.append("  0 lost, 0 repeated, 0 broken; the journal replays equal")
    return "\n".join(lines)
