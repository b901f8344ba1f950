"""The real `holdfast run` as a process that is killed, and what its consumer saw."""

import json
import random
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import trio

from holdfast.replay.player import Verdict, play_facts
from holdfast.replay.sources import journaled_life, open_journal_reader

Begun = Callable[[], Awaitable[object]]

PATIENCE_S = 60.0
RUN = (sys.executable, "-m", "holdfast.replay.cli", "run", "--echo", "--config")


class Process:
    """The service as a process of its own, and what its consumer was told."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.lives = 0

    async def live(self, seconds: float, begun: Begun | None = None) -> None:
        """Run for so long, from the start or once it has begun, then be killed."""
        process = await self._start()
        if begun is not None:
            with trio.fail_after(PATIENCE_S):
                await begun()
        with trio.move_on_after(seconds):
            await process.wait()
            raise AssertionError(self.complaints())
        process.kill()
        await process.wait()

    async def live_until(self, answered: Begun) -> None:
        """Run until every message was answered, and stop cleanly."""
        process = await self._start()
        with trio.fail_after(PATIENCE_S):
            await answered()
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

    def check_offers(self, said: set[str]) -> None:
        """Every message was offered, and none again after its done was durable."""
        done: set[str] = set()
        offered: set[str] = set()
        for line in self.told():
            if line["type"] == "done":
                done.add(line["id"])
            else:
                assert line["id"] not in done, f"{line} was offered after done"
                offered.add(line["text"])
        assert offered == said, f"not both: {offered ^ said}"
        assert "Traceback" not in self.complaints()

    def check_journal(self, account: str, messages: int) -> None:
        """The whole journal replays, and each message is in it once."""
        with open_journal_reader(self.folder / "data") as reader:
            life = journaled_life(reader, account)
            result = play_facts(life.lines, life.start, life.platform, life.policy)
            assert result.verdict is Verdict.SAME, result.divergence
            assert result.unknown == 0, f"{result.unknown} facts without commands"
            found = len(reader.messages(account, 0, 1_000_000))
            assert found == messages, f"{found} messages of {messages}"

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


def moments() -> random.Random:
    """Return chance that a failing run tells how to repeat."""
    seed = random.SystemRandom().randrange(1 << 32)
    print(f"kill seed {seed}")  # noqa: T201 - it repeats a failure.
    return random.Random(seed)  # noqa: S311 - moments, not secrets.
