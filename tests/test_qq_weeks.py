"""Weeks of a QQ account with faults of every kind; see `qq_weeks` and `qq_life`."""

from concurrent.futures import ProcessPoolExecutor

from qq_weeks import Week, live_week

SEEDS = range(1, 21)
IDENTIFIES_A_DAY = 1_000


def test_twenty_weeks_lose_and_repeat_nothing() -> None:
    with ProcessPoolExecutor(2) as processes:
        weeks = [*processes.map(live_week, SEEDS)]
    for week in weeks:
        _judge(week)
    # Or the weeks would prove nothing.
    assert sum(week.messages for week in weeks) > 30_000
    assert min(week.renewals for week in weeks) > 250
    assert min(week.crashes for week in weeks) > 5
    assert min(week.identifies for week in weeks) > 2


def _judge(week: Week) -> None:
    assert week.wrong == (), f"seed {week.seed}: lost or repeated {week.wrong[:5]}"
    assert week.sockets_most == 1, f"seed {week.seed}"
    assert week.violations == 0, f"seed {week.seed}"
    assert week.identifies < IDENTIFIES_A_DAY, f"seed {week.seed}"
    assert week.well, f"seed {week.seed} did not end well"
