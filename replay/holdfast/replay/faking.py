"""`holdfast fake`: a simulated peer on loopback, until it is stopped."""

import signal
import sys
from functools import partial
from pathlib import Path

import click
import trio

from holdfast.replay.exits import USAGE
from holdfast.replay.world.faults import ScriptError
from holdfast.replay.world.serve import serve_weixin
from holdfast.replay.world.served import Served
from holdfast.replay.world.weixin_faults import Script, decode_script


def serve_fake(port: int, script: Path | None) -> int:
    """Serve until SIGTERM or Ctrl-C; return the exit code."""
    try:
        faults = decode_script(script.read_bytes()) if script else None
    except (OSError, ScriptError) as error:
        click.echo(f"{script}: {error}", err=True)
        return USAGE
    code = 0
    try:
        trio.run(_serve, port, faults)
    except* OSError as errors:
        click.echo(f"port {port}: {errors.exceptions[0]}", err=True)
        code = USAGE
    return code


async def _serve(port: int, script: Script | None) -> None:
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async with serve_weixin(port=port, script=script) as served:
            click.echo(f"url   {served.url}")
            click.echo(f"token {served.peer.token}")
            click.echo("what you type here, the user writes to the bot", err=True)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_tell_sends, served)
                nursery.start_soon(_let_user_write, served)
                await anext(aiter(signals))
                nursery.cancel_scope.cancel()


async def _let_user_write(served: Served) -> None:
    """Let each line typed here be a message of the user."""
    read = partial(trio.to_thread.run_sync, sys.stdin.readline, abandon_on_cancel=True)
    while line := await read():
        if text := line.strip():
            served.say(text)


async def _tell_sends(served: Served) -> None:
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
