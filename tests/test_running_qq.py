"""`holdfast run` and `holdfast fake` as processes, with a QQ account."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest
import trio
from test_running import PATIENCE_S, holdfast, start, stop

from holdfast.replay.recording import read_recording
from holdfast.replay.world.qq_say import USER
from holdfast.replay.world.serve_qq import ServedQq, serve_qq

FAKE = (sys.executable, "-m", "holdfast.replay.cli", "fake", "qq", "--port", "0")
# What is said before there is a session waits for it.
SCRIPT = """{
  "faults": [{"type": "closing", "close": 4009}],
  "says": [{"after_ms": 300, "text": "are you there?", "times": 1}],
  "settings": {"held_max": 10}
}"""


def configure(folder: Path, *lines: str) -> Path:
    config = folder / "holdfast.toml"
    table = ("[service]", 'data_dir = "data"', "[accounts.bob]", *lines)
    config.write_text("\n".join(table))
    return config


def lines_for(served: ServedQq) -> tuple[str, ...]:
    settings = served.peer.settings
    return (
        'platform = "qq"',
        f'app_id = "{settings.app_id}"',
        f'secret = "{settings.secret}"',
        f'api_url = "{served.url}"',
        f'token_url = "{served.token_url}"',
        'intents = ["group_and_c2c"]',
    )


async def test_every_command_works_on_its_data(tmp_path: Path) -> None:
    async with serve_qq() as served:
        config = configure(tmp_path, *lines_for(served))
        process = await start(config)
        with trio.fail_after(PATIENCE_S):
            await served.until(lambda peer: peer.counts.readies)
            asked = served.say("good evening")
            await served.until(lambda peer: peer.shown.get(f"c2c:{USER}"))
        (echo,) = served.peer.shown[f"c2c:{USER}"]
        assert (echo.text, echo.reply_to) == ("good evening", asked)
        out = tmp_path / "out.jsonl"
        words = ("export", "--config", config, "--account", "bob", "-o", out)
        code, said = await trio.to_thread.run_sync(lambda: holdfast(*words))
        assert (code, "facts of bob" in said) == (0, True), said
        written = out.read_text()
        secrets = (USER, "good evening", "EXAMPLE", "7d3c0f52", "ROBOT1.0")
        assert [secret for secret in secrets if secret in written] == []
        assert read_recording(out).platform.name == "qq"
        for path in (out, tmp_path / "data"):
            assert holdfast("replay", path)[0] == 0
            assert "hello_received" in holdfast("show", path)[1]
        assert await stop(process) == 0
        assert served.peer.violations == ()
    assert "Traceback" not in (tmp_path / "holdfast.err").read_text()


async def test_a_name_that_was_another_platforms_is_refused(tmp_path: Path) -> None:
    async with serve_qq() as served:
        config = configure(tmp_path, *lines_for(served))
        process = await start(config)
        with trio.fail_after(PATIENCE_S):
            await served.until(lambda peer: peer.counts.readies)
        assert await stop(process) == 0
        configure(tmp_path, 'platform = "weixin"', 'token = "a@im.bot:0"')
        process = await start(config)
        with trio.fail_after(PATIENCE_S):
            assert await process.wait() == 4
    errors = (tmp_path / "holdfast.err").read_text()
    assert "found one of weixin, expected one of qq" in errors


async def test_a_fake_tells_how_to_be_reached(tmp_path: Path) -> None:
    script = tmp_path / "script.json"
    script.write_text(SCRIPT)
    fake = await trio.lowlevel.open_process(
        (*FAKE, "--script", str(script)),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert fake.stdin is not None
    assert fake.stdout is not None
    with trio.fail_after(PATIENCE_S):
        told = await until(fake.stdout, "", 'intents = ["group_and_c2c"]\n')
        process = await start(configure(tmp_path, *told.splitlines()))
        told = await until(fake.stdout, "", "sees 'are you there?'")
        await fake.stdin.send_all(b"typed here\n")
        await until(fake.stdout, told, f"c2c:{USER} sees 'typed here'")
        assert await stop(process) == 0
        fake.send_signal(signal.SIGTERM)
        assert await fake.wait() == 0


async def until(stream: trio.abc.ReceiveStream, told: str, words: str) -> str:
    """Read on until these words have come."""
    while words not in told:
        more = await stream.receive_some()
        assert more, told
        told += more.decode()
    return told


@pytest.mark.parametrize("text", ['{"faults": [{"type": "nothing"}]}', "no JSON"])
def test_a_fake_refuses_what_is_no_script(tmp_path: Path, text: str) -> None:
    script = tmp_path / "script.json"
    script.write_text(text)
    code, said = holdfast("fake", "qq", "--script", script)
    assert code == 2
    assert "script.json: not a fault script" in said
