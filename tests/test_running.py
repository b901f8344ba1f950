"""`holdfast run` as a process: signals, exit codes, and what works beside it."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest
import trio
from click.testing import CliRunner

from holdfast.io.journal_schema import FILE_NAME
from holdfast.replay.cli import main
from holdfast.replay.recording import read_recording
from holdfast.replay.world.serve import serve_weixin
from holdfast.replay.world.served import Served
from holdfast.replay.world.weixin_inbound import USER

RUN = (sys.executable, "-m", "holdfast.replay.cli", "run", "--echo", "--config")
PATIENCE_S = 30.0


def configure(folder: Path, url: str, *, token: str = "") -> Path:
    (folder / "token").write_text(token)
    (folder / "token").chmod(0o600)
    config = folder / "holdfast.toml"
    config.write_text(
        f'[service]\ndata_dir = "data"\n[accounts.alice]\nplatform = "weixin"\n'
        f'base_url = "{url}"\ntoken_file = "token"\n'
    )
    return config


async def start(config: Path) -> trio.Process:
    errors = config.with_suffix(".err").open("ab")
    with errors:
        return await trio.lowlevel.open_process(
            (*RUN, str(config)), stdout=subprocess.DEVNULL, stderr=errors
        )


def holdfast(*words: str | Path) -> tuple[int, str]:
    done = CliRunner().invoke(main, [str(word) for word in words])
    return done.exit_code, done.output


async def stop(process: trio.Process, number: int = signal.SIGTERM) -> int:
    process.send_signal(number)
    with trio.fail_after(PATIENCE_S):
        return await process.wait()


async def echoed(served: Served) -> None:
    """Let somebody write, and wait for the echo."""
    served.say("hello")
    with trio.fail_after(PATIENCE_S):
        await served.until(lambda peer: peer.shown.get(USER))


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)]
)
async def test_a_signal_ends_it_cleanly(tmp_path: Path, number: int, code: int) -> None:
    async with serve_weixin() as served:
        process = await start(configure(tmp_path, served.url, token=served.peer.token))
        await echoed(served)
        assert await stop(process, number) == code
        last = [call.endpoint for call in served.peer.log][-1]
        assert last == "notifystop"
    assert "Traceback" not in (tmp_path / "holdfast.err").read_text()


async def test_others_read_the_journal_while_it_runs(tmp_path: Path) -> None:
    async with serve_weixin() as served:
        config = configure(tmp_path, served.url, token=served.peer.token)
        process = await start(config)
        await echoed(served)
        out = tmp_path / "out.jsonl"
        words = ("export", "--config", config, "--account", "alice", "-o", out)
        code, said = await trio.to_thread.run_sync(lambda: holdfast(*words))
        assert (code, "facts of alice" in said) == (0, True), said
        assert USER not in out.read_text()
        assert read_recording(out).platform.name == "weixin"
        assert holdfast("replay", out)[0] == 0
        assert holdfast("replay", tmp_path / "data")[0] == 0
        assert "message_received" in holdfast("show", tmp_path / "data")[1]
        assert await stop(process) == 0


async def test_a_second_one_on_the_same_data_is_refused(tmp_path: Path) -> None:
    async with serve_weixin() as served:
        config = configure(tmp_path, served.url, token=served.peer.token)
        first = await start(config)
        await echoed(served)
        second = await start(config)
        with trio.fail_after(PATIENCE_S):
            assert await second.wait() == 2
        assert "in use by process" in (tmp_path / "holdfast.err").read_text()
        assert await stop(first) == 0


async def test_it_starts_without_a_login_and_picks_one_up(tmp_path: Path) -> None:
    async with serve_weixin() as served:
        config = configure(tmp_path, served.url)
        process = await start(config)
        errors = tmp_path / "holdfast.err"
        with trio.fail_after(PATIENCE_S):
            while "needs_login" not in errors.read_text():
                assert process.poll() is None
                await trio.lowlevel.checkpoint()
        (tmp_path / "token").write_text(served.peer.token)
        await echoed(served)
        assert await stop(process) == 0


@pytest.mark.parametrize(
    ("content", "says"),
    [(b"this is no database" * 100, "is not a journal"), (b"", "")],
)
async def test_a_wrong_journal_is_refused_or_begun(
    tmp_path: Path, content: bytes, says: str
) -> None:
    async with serve_weixin() as served:
        config = configure(tmp_path, served.url, token=served.peer.token)
        (tmp_path / "data").mkdir(mode=0o700)
        (tmp_path / "data" / FILE_NAME).write_bytes(content)
        process = await start(config)
        if not says:
            await echoed(served)
            assert await stop(process) == 0
            return
        with trio.fail_after(PATIENCE_S):
            assert await process.wait() == 4
        assert says in (tmp_path / "holdfast.err").read_text()


def test_an_account_that_is_not_in_the_journal_is_named(tmp_path: Path) -> None:
    config = configure(tmp_path, "http://127.0.0.1:9")
    code, said = holdfast("export", "--config", config, "--account", "bob", "-o", "x")
    assert code == 4
    assert "journal" in said
