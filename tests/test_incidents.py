"""The founding incidents, over real HTTP, and the recordings that are kept of them."""

from pathlib import Path

import pytest
from incident_rig import FIXTURES, KEPT_PORT, live, steady
from trio.testing import MockClock

from holdfast.replay.incidents import INCIDENTS, Incident
from holdfast.replay.player import Verdict, play
from holdfast.replay.showing import transcript
from holdfast.replay.sources import recorded_life

NAMES = [incident.name for incident in INCIDENTS]


@pytest.mark.parametrize("incident", INCIDENTS, ids=NAMES)
async def test_the_service_gets_through_and_its_recording_replays(
    incident: Incident,
    tmp_path: Path,
    autojump_clock: MockClock,  # noqa: ARG001 - it makes time virtual.
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rewrite = request.config.getoption("--rewrite")
    if rewrite:
        steady(monkeypatch)
    recording = tmp_path / f"{incident.name}.jsonl"
    port = KEPT_PORT if rewrite else 0
    secrets = await live(incident, tmp_path, recording, port=port)
    assert play(recording).verdict is Verdict.SAME
    written = recording.read_text("utf-8")
    assert len(secrets) > 2
    assert [secret for secret in secrets if secret in written] == []
    if rewrite:
        kept = FIXTURES / recording.name
        kept.write_bytes(recording.read_bytes())
        kept.with_suffix(".txt").write_text(told(kept, incident.story), "utf-8")


@pytest.mark.parametrize("incident", INCIDENTS, ids=NAMES)
def test_the_kept_recording_still_replays_and_reads_the_same(
    incident: Incident,
) -> None:
    kept = FIXTURES / f"{incident.name}.jsonl"
    assert play(kept).verdict is Verdict.SAME
    assert kept.with_suffix(".txt").read_text("utf-8") == told(kept, incident.story)


def test_every_kept_recording_belongs_to_an_incident() -> None:
    assert sorted(path.stem for path in FIXTURES.glob("*.jsonl")) == sorted(NAMES)


def told(recording: Path, story: str) -> str:
    """Return the transcript of a recording as it is kept beside it."""
    return "\n".join((f"# {story}", "", *transcript(recorded_life(recording)), ""))
