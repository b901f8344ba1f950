"""Measure replays against msgspec decoding the same lines and doing nothing else.

    .venv/bin/python bench/replay.py [--facts 200000] [--rounds 7]

All figures come from one process and alternate, so that a noisy machine hits them all.
Verification starts from the bytes of a recording and ends with a verdict: it reads and
checks the header, the order and the checksum, folds every fact, and compares every
command, every checkpoint and the final state. Decoding is `decode_lines` over the same
bytes in runs of 512 lines, all of it into typed structs: events, commands, states.

Three Weixin accounts are measured. A quiet one hears a message every half hour and
lives of answered polls, a calm one every ten minutes, a busy one every minute: two
thirds of its facts are messages and sends. The QQ account hears one every ten minutes;
nearly all of its facts are pings, heartbeats and their answers.
"""

import argparse
import platform
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import version
from io import BytesIO
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any, Generic, TypeVar

import msgspec
from transitions import Machine

from holdfast.core.commands import Command
from holdfast.core.events import Event
from holdfast.core.qq_account import Qq
from holdfast.core.weixin_account import Weixin
from holdfast.replay.player import Verdict, play
from holdfast.replay.recording import LineEncoder, new_header
from holdfast.replay.world.qq_settings import Settings

sys.path.append(str(Path(__file__).resolve().parents[1] / "tests"))
from lives import Life, recorded
from qq_life import QqLife

CHUNK_LINES = 512
PROFILES = {"quiet": 1_800_000, "calm": 600_000, "busy": 60_000}
TRIGGERS = 20_000

S = TypeVar("S")


class TypedLine(msgspec.Struct, Generic[S], frozen=True, gc=False):
    """A fact line with everything in it decoded, for a platform's kind of state."""

    seq: int
    at_ms: int
    event: Event
    commands: list[Command]
    state: S | None = None


def main() -> None:
    """Build a recording, measure, print."""
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("--facts", type=int, default=200_000)
    options.add_argument("--rounds", type=int, default=7)
    chosen = options.parse_args()
    print(_machine())
    for name, gap_ms in PROFILES.items():
        content = recorded(Life(message_gap_ms=gap_ms), chosen.facts)
        print(f"\n{name} account: {chosen.facts} facts, {len(content):,} bytes")
        _compare(content, TypedLine[Weixin], chosen)
    content = _recorded_qq(chosen.facts)
    print(f"\nQQ account: {chosen.facts} facts, {len(content):,} bytes")
    _compare(content, TypedLine[Qq], chosen)


def _recorded_qq(facts: int) -> bytes:
    """Return a recording of a QQ account before the simulated platform."""
    life = QqLife(settings=Settings(log_max=0), say_gap_ms=600_000, replies=3)
    life.keeps, start = True, life.state
    while len(life.facts) < facts:
        life.live(3_600_000)
    header = new_header("qq", "bob", start, life.policy, {"by": "lives"})
    lines, content = LineEncoder(header), BytesIO()
    content.write(lines.begin())
    for turn in life.facts[:facts]:
        content.write(lines.add(*turn))
    content.write(lines.finish())
    return content.getvalue()


def _compare(content: bytes, line: Any, chosen: argparse.Namespace) -> None:
    chunks, facts, rounds = _chunks(content), chosen.facts, chosen.rounds
    rates = _measure(
        {
            "msgspec decodes": (facts, lambda: _decode(chunks, line)),
            "verify": (facts, lambda: _verify(content, invariants=False)),
            "and invariants": (facts, lambda: _verify(content, invariants=True)),
            "transitions triggers": (TRIGGERS, _triggers()),
        },
        rounds,
    )
    base = rates["msgspec decodes"]
    for name, rate in rates.items():
        print(f"{name:<21} {rate:>12,.0f}/s {1e9 / rate:>8,.0f} ns {rate / base:>7.3f}")


def _machine() -> str:
    names = ("msgspec", "transitions")
    libraries = ", ".join(f"{name} {version(name)}" for name in names)
    python = f"{platform.python_implementation()} {platform.python_version()}"
    return f"{platform.system()} {platform.machine()} {_cpu()}, {python}, {libraries}"


def _cpu() -> str:
    about = Path("/proc/cpuinfo")
    lines = about.read_text().splitlines() if about.exists() else []
    models = [
        line.partition(": ")[2] for line in lines if line.startswith("model name")
    ]
    return f"{models[0]} x {len(models)}" if models else platform.processor()


def _chunks(content: bytes) -> Sequence[bytes]:
    facts = content.splitlines(keepends=True)[1:-1]
    starts = range(0, len(facts), CHUNK_LINES)
    return [b"".join(facts[start : start + CHUNK_LINES]) for start in starts]


def _decode(chunks: Sequence[bytes], line: Any) -> None:
    decode_lines = msgspec.json.Decoder(line).decode_lines
    for chunk in chunks:
        decode_lines(chunk)


def _verify(content: bytes, *, invariants: bool) -> None:
    assert play(content, invariants=invariants).verdict is Verdict.SAME


def _triggers() -> Callable[[], None]:
    """Return the bare loop of a machine that does nothing but move."""

    class Model:
        trigger: Callable[[str], bool]

    model = Model()
    rows = [["go", "here", "there"], ["go", "there", "here"]]
    Machine(model, ["here", "there"], "here", rows, auto_transitions=False)

    def loop() -> None:
        for _ in range(TRIGGERS):
            model.trigger("go")

    return loop


def _measure(
    tasks: dict[str, tuple[int, Callable[[], None]]], rounds: int
) -> dict[str, float]:
    """Return {task: how many per second}, the median of alternating rounds."""
    seconds: dict[str, list[float]] = {name: [] for name in tasks}
    for _ in range(rounds):
        for name, (_, task) in tasks.items():
            began = perf_counter()
            task()
            seconds[name].append(perf_counter() - began)
    return {name: count / median(seconds[name]) for name, (count, _) in tasks.items()}


if __name__ == "__main__":
    main()
