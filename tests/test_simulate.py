"""The real shell in virtual time, while network, disk, peer and process fail."""

import os
import secrets
import subprocess
import sys

import pytest

from holdfast.replay.simulate.run import Outcome, Plan, simulate

HOURS = 2.0
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
    plan = Plan(platform, 7, 1.0)
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
    assert simulate(plan) == here
    assert simulate(Plan(platform, 8, 1.0)).digest != here.digest
