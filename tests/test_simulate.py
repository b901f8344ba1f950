"""The real shell in virtual time, while network, disk, peer and process fail."""

import os
import secrets
import subprocess
import sys

import pytest
import trio

from holdfast.io.messages import Reader
from holdfast.replay.simulate.run import Outcome, Plan, simulate

# One more hour heals; long runs are the bench's.
HOURS = 1.5
FIXED = (1, 2)
DIGEST = """
import sys
from holdfast.replay.simulate.run import Plan, simulate
platform, seed, hours = sys.argv[1:]
print(simulate(Plan(platform, int(seed), float(hours))).digest)
"""


def fresh() -> int:
    return secrets.randbits(32)


def told(outcome: Outcome) -> str:
    """Say what was found, and what repeats it."""
    lines = [f"{one.kind}: {one.what}" for one in outcome.findings]
    return "\n".join([outcome.plan.command, *lines])


@pytest.mark.parametrize("platform", ["weixin", "qq"])
@pytest.mark.parametrize("seed", [*FIXED, None], ids=[*map(str, FIXED), "fresh"])
def test_whatever_goes_wrong_nothing_is_lost_repeated_or_broken(
    platform: str, seed: int | None
) -> None:
    plan = Plan(platform, fresh() if seed is None else seed, HOURS)
    print(plan.command)  # noqa: T201 - it repeats a failure, also one that raises.
    outcome = simulate(plan)
    assert outcome.findings == (), told(outcome)
    assert outcome.messages
    assert outcome.facts


@pytest.mark.parametrize("platform", ["weixin", "qq"])
def test_one_seed_gives_the_same_journal_in_every_process(platform: str) -> None:
    plan = Plan(platform, 7, 0.5)
    here = simulate(plan)
    command = [sys.executable, "-c", DIGEST, platform, str(plan.seed), str(plan.hours)]
    there = subprocess.run(  # noqa: S603 - our own interpreter and text
        command,
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONHASHSEED": "12345"},
    )
    assert there.stdout.strip() == here.digest


def test_a_disk_that_lies_is_found_out() -> None:
    outcome = simulate(Plan("weixin", 2, HOURS), lying_disk=True)
    kinds = {one.kind for one in outcome.findings}
    assert "repeated" in kinds or "lost" in kinds, outcome


def test_a_consumer_that_is_forgotten_is_found_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def forget(reader: Reader, seq: int) -> None:
        reader._open.pop(seq, None)  # noqa: SLF001 - as before, but nothing recorded.
        await trio.lowlevel.checkpoint()

    monkeypatch.setattr(Reader, "_finish", forget)
    outcome = simulate(Plan("weixin", 1, HOURS))
    assert any("again after it was done" in one.what for one in outcome.findings)
