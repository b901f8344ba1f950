"""The plug is pulled on the real process, again and again, while people write."""

import json
import random
import signal
import sys
from collections import defaultdict
from itertools import count
from pathlib import Path

import trio

from holdfast.replay.player import Verdict, play_facts
from holdfast.replay.sources import journaled_life, open_journal_reader
from holdfast.replay.world.serve import serve_weixin
from holdfast.replay.world.served import Served
from holdfast.replay.world.weixin_inbound import USER
from holdfast.replay.world.weixin_settings import Settings

KILLS = 100
# Start-up takes about a third of it, so that every phase of a life is hit.
LIFE_S_MAX = 0.7
PATIENCE_S = 60.0
RUN = (sys.executable, "-m", "holdfast.replay.cli", "run", "--echo", "--config")

CONFIG = """
[service]
data_dir = "data"
[accounts.alice]
platform = "weixin"
base_url = "{url}"
token_file = "token"
[policy.delivery]
gap_ms_min = 0
gap_ms_base = 0
gap_ms_per_part = 0
budget = 0
[policy.poll]
hold_ms_min = 500
interval_ms_min = 10
[policy.connection]
backoff_ms_first = 20
backoff_ms_max = 100
cooldown_ms = 20
[policy.journal]
snapshot_facts = 40
"""


class Process:
    """The service as a process of its own, and what its consumer was told."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.lives = 0

    async def live(self, seconds: float) -> None:
        """Run for so long, then be killed."""
        process = await self._start()
        with trio.move_on_after(seconds):
            await process.wait()
            raise AssertionError(self.complaints())
        process.kill()
        await process.wait()

    async def live_until_answered(self, served: Served, said: set[str]) -> None:
        """Run until every message was answered, and stop cleanly."""
        process = await self._start()
        with trio.fail_after(PATIENCE_S):
            await served.until(lambda peer: said <= texts(peer.shown.get(USER, ())))
            process.send_signal(signal.SIGTERM)
            assert await process.wait() == 0

    def told(self) -> list[dict[str, str]]:
        """Return every line of every life; a last one may have been cut."""
        lines = []
        for life in range(1, self.lives + 1):
            content = (self.folder / f"out-{life}").read_text("utf-8")
            whole = content[: content.rfind("\n") + 1]
            lines += [json.loads(line) for line in whole.splitlines()]
        return lines

    def complaints(self) -> str:
        """Return all that was said on stderr."""
        files = sorted(self.folder.glob("err-*"))
        return "\n".join(file.read_text("utf-8") for file in files)

    async def _start(self) -> trio.Process:
        self.lives += 1
        out = self.folder / f"out-{self.lives}"
        err = self.folder / f"err-{self.lives}"
        with out.open("wb") as stdout, err.open("wb") as stderr:
            return await trio.lowlevel.open_process(
                (*RUN, str(self.folder / "holdfast.toml")),
                stdout=stdout,
                stderr=stderr,
            )


async def test_a_hundred_kills_lose_nothing_and_repeat_nothing_after_done(
    tmp_path: Path,
) -> None:
    seed = random.SystemRandom().randrange(1 << 32)
    print(f"kill seed {seed}")  # noqa: T201 - it repeats a failure.
    moments = random.Random(seed)  # noqa: S311 - moments, not secrets.
    process = Process(tmp_path)
    settings = Settings(hold_ms=1_000, hint_ms=1_000, budget=None)
    async with serve_weixin(settings) as served:
        configure(tmp_path, served)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(talk, served)
            for _ in range(KILLS):
                await process.live(moments.uniform(0.02, LIFE_S_MAX))
            nursery.cancel_scope.cancel()
        said = {
            str(message.wire["item_list"][0]["text_item"]["text"])
            for message in served.peer.inbound
        }
        await process.live_until_answered(served, said)
        check_answers(served)
    check_offers(process, said)
    check_journal(tmp_path / "data", len(said))


def configure(folder: Path, served: Served) -> None:
    token = folder / "token"
    token.write_text(served.peer.token)
    token.chmod(0o600)
    (folder / "holdfast.toml").write_text(CONFIG.format(url=served.url))


async def talk(served: Served) -> None:
    """Let the user write whenever a poll is held, and once when it is cut off."""
    for number in count():
        await served.until(lambda peer: peer.waiting)
        served.say(f"message {number}")
        await served.until(lambda peer: not peer.waiting)
        if not number % 10:
            served.say(f"nobody listens {number}")


def texts(shown: tuple[object, ...]) -> set[str]:
    return {str(getattr(one, "text", "")) for one in shown}


def check_answers(served: Served) -> None:
    """Each text was answered under one client id, however often it was tried."""
    ids = defaultdict(set)
    for shown in served.peer.shown[USER]:
        ids[shown.text].add(shown.client_id)
    assert {text: found for text, found in ids.items() if len(found) > 1} == {}
    assert served.peer.violations == ()


def check_offers(process: Process, said: set[str]) -> None:
    """Every message was offered, and none again after its done was durable."""
    done: set[str] = set()
    offered: set[str] = set()
    for line in process.told():
        if line["type"] == "done":
            done.add(line["id"])
        else:
            assert line["id"] not in done, f"{line} was offered after done"
            offered.add(line["text"])
    assert offered == said
    assert "Traceback" not in process.complaints()


def check_journal(data: Path, messages: int) -> None:
    """The whole journal replays, and each message is in it once."""
    with open_journal_reader(data) as reader:
        life = journaled_life(reader, "alice")
        result = play_facts(life.lines, life.start, life.platform, life.policy)
        assert result.verdict is Verdict.SAME, result.divergence
        assert result.unknown == 0
        assert len(reader.messages("alice", 0, 1_000_000)) == messages
