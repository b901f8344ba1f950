"""`holdfast explore`: walk every state of the real reducers, and say what was found.

Scopes are independent of each other, so each is a task for a process of its own.
"""

import multiprocessing
import signal
import sys
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import click
import msgspec
from msgspec import Struct

from holdfast.replay.exits import DIFFERENT, INTERRUPTED
from holdfast.replay.explore.coverage import Row, all_rows, noted_rows
from holdfast.replay.explore.scope import Scope
from holdfast.replay.explore.scopes import SCOPES, chosen
from holdfast.replay.explore.search import BoundError, Finding, doomed, search
from holdfast.replay.explore.story import story, write_recording

STATES_MAX = 2_000_000
MS_PER_S = 1_000


class Explored(Struct, frozen=True):
    """What came of one scope; `rows` are table rows, `pairs` of phases and facts."""

    scope: str
    states: int
    transitions: int
    seconds: float
    rows: tuple[Row, ...]
    pairs: tuple[tuple[str, str], ...]
    findings: tuple[Finding, ...]


def explore_scope(scope: Scope, states_max: int = STATES_MAX) -> Explored:
    """Explore one scope in this process."""
    begin = time.process_time()
    with noted_rows() as rows:
        graph = search(scope, states_max=states_max)
    findings = [*graph.findings]
    if not findings:
        findings += doomed(graph)
    return Explored(
        scope=scope.name,
        states=graph.states,
        transitions=graph.transitions,
        seconds=time.process_time() - begin,
        rows=tuple(rows),
        pairs=tuple(graph.pairs),
        findings=tuple(findings),
    )


class Outcome(Struct, frozen=True):
    """What came of all scopes together; `unwalked` rows belong to no scope."""

    scopes: tuple[Scope, ...]
    explored: tuple[Explored, ...]
    unwalked: tuple[Row, ...]
    seconds: float

    @property
    def findings(self) -> list[tuple[Scope, Finding]]:
        """What was found, each with its scope."""
        pairs = zip(self.scopes, self.explored, strict=True)
        return [(scope, one) for scope, result in pairs for one in result.findings]


def explore(what: str | None, output: Path | None, *, as_json: bool) -> int:
    """Explore what is named; print what was found; return the exit code."""
    scopes = chosen(what)
    begin = time.monotonic()
    try:
        results = {result.scope: result for result in _explored(scopes)}
    except BoundError as error:
        click.echo(str(error), err=True)
        return DIFFERENT
    except KeyboardInterrupt:
        return INTERRUPTED
    explored = tuple(results[scope.name] for scope in scopes)
    missing = tuple(_unwalked(explored)) if what is None else ()
    seconds = time.monotonic() - begin
    outcome = Outcome(tuple(scopes), explored, missing, seconds)
    return tell(outcome, output, as_json=as_json)


def tell(outcome: Outcome, output: Path | None, *, as_json: bool) -> int:
    """Print what was found, record the way to the first of it, return the exit code."""
    if as_json:
        click.echo(msgspec.json.encode(_told(outcome)))
    else:
        for line in _lines(outcome):
            click.echo(line)
    if outcome.findings:
        scope, first = outcome.findings[0]
        path = output or Path(f"{scope.name.replace(' ', '-')}.jsonl")
        try:
            if output is None and path.exists():
                raise FileExistsError("it is there already: name another with -o")
            write_recording(scope, first, path)
        except OSError as error:
            click.echo(f"{path}: the way there is not recorded: {error}", err=True)
        else:
            click.echo(f"the way there: holdfast show {path}", err=True)
    return DIFFERENT if outcome.findings or outcome.unwalked else 0


def _explored(scopes: list[Scope]) -> Iterator[Explored]:
    """Explore side by side, the largest first come as they end."""
    spawn = multiprocessing.get_context("spawn")
    shown: Any = (
        click.progressbar(length=len(scopes), label="exploring", file=sys.stderr)
        if sys.stderr.isatty()
        else nullcontext()
    )
    # An interrupt is for us; a worker amid its scope would not hear of the end.
    ignore = signal.signal, (signal.SIGINT, signal.SIG_IGN)
    pool = ProcessPoolExecutor(None, spawn, *ignore)
    with _ended(pool), shown as bar:
        # The last ones are the largest: begun first, they do not end alone.
        tasks = [pool.submit(_task, scope.name) for scope in reversed(scopes)]
        for task in as_completed(tasks):
            if bar is not None:
                bar.update(1)
            yield task.result()


@contextmanager
def _ended(pool: ProcessPoolExecutor) -> Iterator[None]:
    """Let no worker outlive the block, whatever it is at."""
    try:
        yield
        pool.shutdown()
    finally:
        for worker in multiprocessing.active_children():
            worker.terminate()
        pool.shutdown(cancel_futures=True)


def _task(name: str) -> Explored:
    return explore_scope(SCOPES[name])


def _unwalked(explored: Iterable[Explored]) -> list[Row]:
    walked = {row for result in explored for row in result.rows}
    return [row for row in all_rows() if row not in walked]


def _lines(outcome: Outcome) -> Iterator[str]:
    explored = outcome.explored
    for result in explored:
        rate = result.transitions / max(result.seconds, 1 / MS_PER_S)
        found = f"{len(result.findings)} findings" if result.findings else "ok"
        yield (
            f"{result.scope:<16} {result.states:>9,} states "
            f"{result.transitions:>11,} transitions {rate:>9,.0f}/s  {found}"
        )
    states = sum(result.states for result in explored)
    transitions = sum(result.transitions for result in explored)
    rows = {row for result in explored for row in result.rows}
    pairs = {pair for result in explored for pair in result.pairs}
    yield (
        f"{states:,} states, {transitions:,} transitions in {outcome.seconds:.1f} s; "
        f"{len(rows)} of {len(all_rows())} table rows, "
        f"{len(pairs)} pairs of phases and facts"
    )
    for machine, phase, trigger in outcome.unwalked:
        yield f"not walked: {machine}, {trigger} from {phase}"
    for scope, finding in outcome.findings:
        yield ""
        yield from story(scope, finding)
    if not outcome.unwalked and not outcome.findings:
        yield "no promise is broken, and no state is doomed"


def _told(outcome: Outcome) -> dict[str, Any]:
    return {
        "scopes": outcome.explored,
        "unwalked": outcome.unwalked,
        "seconds": round(outcome.seconds, 3),
    }
