"""`holdfast fake`: a simulated peer on loopback, until it is stopped."""

import signal
import sys
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import click
import trio

from holdfast.replay.exits import USAGE
from holdfast.replay.world import qq_faults, weixin_faults
from holdfast.replay.world.faults import ScriptError
from holdfast.replay.world.serve import Served, serve_weixin
from holdfast.replay.world.serve_qq import ServedQq, serve_qq


class Fake(NamedTuple):
    """What can be served: how its scripts are read, and what a user has to know."""

    decode: Callable[[bytes], Any]
    serve: Callable[..., AbstractAsyncContextManager[Any]]
    told: Callable[[Any], tuple[str, ...]]


def _weixin_told(served: Served) -> tuple[str, ...]:
    return f"url   {served.url}", f"token {served.peer.token}"


def _qq_told(served: ServedQq) -> tuple[str, ...]:
    """Return the lines of an account's table; what users write needs the intent."""
    settings = served.peer.settings
    return (
        'platform = "qq"',
        f'app_id = "{settings.app_id}"',
        f'secret = "{settings.secret}"',
        f'api_url = "{served.url}"',
        f'token_url = "{served.token_url}"',
        'intents = ["group_and_c2c"]',
    )


WEIXIN = Fake(weixin_faults.decode_script, serve_weixin, _weixin_told)
QQ = Fake(qq_faults.decode_script, serve_qq, _qq_told)


def serve_fake(fake: Fake, port: int, script: Path | None) -> int:
    """Serve until SIGTERM or Ctrl-C; return the exit code."""
    try:
        faults = fake.decode(script.read_bytes()) if script else None
    except (OSError, ScriptError) as error:
        click.echo(f"{script}: {error}", err=True)
        return USAGE
    code = 0
    try:
        trio.run(_serve, fake, port, faults)
    except* OSError as errors:
        click.echo(f"port {port}: {errors.exceptions[0]}", err=True)
        code = USAGE
    return code


async def _serve(fake: Fake, port: int, script: Any) -> None:
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async with fake.serve(port=port, script=script) as served:
            for line in fake.told(served):
                click.echo(line)
            click.echo("what you type here, the user writes to the bot", err=True)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_tell_sends, served)
                nursery.start_soon(_let_user_write, served)
                await anext(aiter(signals))
                nursery.cancel_scope.cancel()


async def _let_user_write(served: Served | ServedQq) -> None:
    """Let each line typed here be a message of the user."""
    read = partial(trio.to_thread.run_sync, sys.stdin.readline, abandon_on_cancel=True)
    while line := await read():
        if text := line.strip():
            served.say(text)


async def _tell_sends(served: Served | ServedQq) -> None:
    """Print what users see, as it arrives."""
    told = 0
    while True:
        changed = served.changed
        shown = [
            (text.at_ms, user, text.text)
            for user, texts in served.peer.shown.items()
            for text in texts
        ]
        for _, user, text in sorted(shown)[told:]:
            click.echo(f"{user} sees {text!r}")
        told = len(shown)
        await changed.wait()
