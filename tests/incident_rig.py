"""Lives an incident in virtual time and returns what the service recorded of it."""

from pathlib import Path

import pytest
import trio

from holdfast.io import Patience, Surroundings
from holdfast.io.clock import TrioClock
from holdfast.replay.exporting import export_window
from holdfast.replay.incidents import Incident
from holdfast.replay.incidents.stage import Wings
from holdfast.replay.world.online import clock_from

FIXTURES = Path(__file__).parent.parent / "fixtures" / "incidents"
# 2026-03-01 20:00 UTC: the evening before most of these nights.
START_MS = 1_772_395_200_000
# Virtual seconds, for a play that would wait for ever.
PLAY_S_MAX = 8 * 3_600.0
# Of the peers whose recordings are kept; it is in them.
KEPT_PORT = 18_710
END_OF_TIME_MS = 1 << 62


async def live(
    incident: Incident, folder: Path, recording: Path, *, port: int = 0
) -> tuple[str, ...]:
    """Play an incident under the default policy and export its whole journal.

    Return what must not be in the recording.
    """
    house = incident.house
    surroundings = Surroundings(
        TrioClock(START_MS), threaded=False, seed=lambda: 7, patience=Patience()
    )
    wings = Wings(folder, surroundings, now_ms=clock_from(START_MS), port=port)
    with trio.fail_after(PLAY_S_MAX):
        async with house.open_stage(house.real, wings) as stage:
            await incident.play(stage)
            secrets: tuple[str, ...] = stage.secrets
    export_window(folder / "data", house.account, 0, END_OF_TIME_MS, recording)
    return secrets


def steady(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the same incident give the same bytes: one schedule, one journal key."""
    run = trio._core._run  # noqa: SLF001 - trio has no public switch for this.
    monkeypatch.setattr(run, "_ALLOW_DETERMINISTIC_SCHEDULING", True)
    run._r.seed(7)  # noqa: SLF001 - as above.
    monkeypatch.setattr("secrets.token_bytes", lambda count: bytes(range(count)))
