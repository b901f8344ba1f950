"""Simulate many runs per platform and say how long a simulated hour takes.

    .venv/bin/python bench/simulate.py [--seeds 50] [--hours 20] [--platform weixin|qq]

Every finding is printed with the command that repeats it; the exit code is 1 then.
"""

import argparse
import logging
import sys
import time

from holdfast.replay.simulate.kinds import KINDS
from holdfast.replay.simulate.run import Plan, simulate


def main() -> int:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=50)
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--hours", type=float, default=20)
    parser.add_argument("--platform", choices=[*KINDS], action="append")
    asked = parser.parse_args()
    logging.getLogger("holdfast").setLevel(logging.CRITICAL)
    seeds = range(asked.first, asked.first + asked.seeds)
    found = [
        _measure(platform, seeds, asked.hours) for platform in asked.platform or KINDS
    ]
    return 1 if any(found) else 0


def _measure(platform: str, seeds: range, hours: float) -> int:
    """Run all seeds; return how many findings there were."""
    wall_s, cpu_s = time.perf_counter(), time.process_time()
    passed = messages = lives = facts = again = found = 0.0
    replies: dict[str, int] = {}
    for seed in seeds:
        outcome = simulate(Plan(platform, seed, hours))
        passed += outcome.hours
        messages += outcome.messages
        lives += outcome.lives
        facts += outcome.facts
        again += outcome.offered_again
        found += len(outcome.findings)
        for state, count in outcome.replies.items():
            replies[state] = replies.get(state, 0) + count
        for one in outcome.findings:
            print(f"{outcome.plan.command}: {one.kind}: {one.what}", flush=True)
        print(f"{platform} {seed} {outcome.digest[:16]}", file=sys.stderr, flush=True)
    wall_s, cpu_s = time.perf_counter() - wall_s, time.process_time() - cpu_s
    told = ", ".join(f"{count} {state}" for state, count in sorted(replies.items()))
    print(f"{platform}: {len(seeds)} seeds, {hours:g} h each with faults")
    print(f"  {messages:.0f} messages, {again:.0f} offered again after a kill")
    print(f"  replies: {told}")
    print(f"  {lives:.0f} lives, {facts:.0f} facts, {found:.0f} findings")
    print(f"  {passed:.0f} hours in {wall_s:.0f} s, {passed / wall_s:.2f} h/s", end="")
    print(f"; CPU {cpu_s:.0f} s, {passed / cpu_s:.2f} h/s", flush=True)
    return round(found)


if __name__ == "__main__":
    sys.exit(main())
