"""`holdfast run`: the service as a process, with its signals and exit codes."""

import logging
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import click
import msgspec
import trio

from holdfast.core.account import Account
from holdfast.core.commands import Command, Report
from holdfast.core.events import Fact
from holdfast.core.outbox import Phase
from holdfast.io import Config, SendRefusedError, Service, load_config, open_service
from holdfast.io.config import ConfigError
from holdfast.io.journal_errors import DataFolderInUseError, JournalError
from holdfast.io.messages import Message
from holdfast.io.recovery import RecoveryError
from holdfast.replay.describe import describe_line
from holdfast.replay.exits import DIFFERENT, INTERRUPTED, UNREADABLE, USAGE

CONSUMER = "echo"
# States of a part that its sender would want to know about.
TROUBLED = (Phase.PARKED, Phase.REJECTED, Phase.UNKNOWN, Phase.UNCONFIRMED)

log = logging.getLogger("holdfast.run")


def run_service(path: Path | None, *, echo: bool, verbose: bool) -> int:
    """Run until a signal; return the exit code."""
    logging.basicConfig(
        format="%(asctime)s %(levelname)s %(message)s",
        level=logging.DEBUG if verbose else logging.INFO,
        stream=sys.stderr,
    )
    logging.getLogger("httpx").setLevel(logging.WARNING)
    logging.getLogger("httpcore").setLevel(logging.WARNING)
    try:
        config = load_config(path, os.environ)
    except ConfigError as error:
        click.echo(str(error), err=True)
        return USAGE
    if not config.accounts:
        where = config.file or "the environment"
        click.echo(f"{where}: no account; expected a table [accounts.NAME]", err=True)
        return USAGE
    return _run(config, echo=echo, verbose=verbose)


def _run(config: Config, *, echo: bool, verbose: bool) -> int:
    code = 0
    try:
        return trio.run(_serve, config, echo, verbose)
    except* DataFolderInUseError as errors:
        code = _tell(errors, USAGE)
    except* (JournalError, RecoveryError) as errors:
        code = _tell(errors, UNREADABLE)
    except* AssertionError as errors:
        code = _tell(errors, DIFFERENT)
    except* OSError as errors:
        code = _tell(errors, USAGE)
    return code


def _tell(errors: BaseExceptionGroup[Exception], code: int) -> int:
    for error in errors.exceptions:
        if isinstance(error, BaseExceptionGroup):
            _tell(error, code)
        elif isinstance(error, OSError) and error.filename:
            click.echo(f"holdfast: {error.filename}: {error.strerror}", err=True)
        else:
            click.echo(f"holdfast: {error}", err=True)
    return code


async def _serve(config: Config, echo: bool, verbose: bool) -> int:  # noqa: FBT001 - trio.run passes positions.
    stop = Stop()
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(stop.listen, signals)
            await _keep(config, stop, echo=echo, verbose=verbose)
            nursery.cancel_scope.cancel()
    return INTERRUPTED if stop.number == signal.SIGINT else 0


class Stop:
    """The first signal stops cleanly; the second ends the process at once."""

    def __init__(self) -> None:
        self.asked = trio.Event()
        self.number = 0

    async def listen(self, signals: AsyncIterator[int]) -> None:
        """Wait for signals until cancelled."""
        async for number in signals:
            if self.number:
                os._exit(128 + number)
            self.number = number
            log.info("%s: stopping", signal.Signals(number).name)
            self.asked.set()


async def _keep(config: Config, stop: Stop, *, echo: bool, verbose: bool) -> None:
    async with open_service(config) as service:
        service.watch(_tell_all if verbose else _tell_changes)
        log.info(
            "data in %s, accounts: %s",
            config.service.data_dir,
            ", ".join(service.accounts),
        )
        if config.service.listen:
            log.warning(
                "service.listen: this release has no HTTP API yet; not listening"
            )
        async with trio.open_nursery() as nursery:
            if echo:
                nursery.start_soon(_echo, service)
            await stop.asked.wait()
            nursery.cancel_scope.cancel()


async def _echo(service: Service) -> None:
    """Answer every text with itself; each message and its done go to stdout."""
    async for message in service.messages(CONSUMER):
        _print(message, "message")
        if message.text:
            key = f"{CONSUMER}-{message.account}-{message.seq}"
            try:
                await service.send(
                    message.account,
                    message.from_,
                    message.text,
                    key=key,
                    reply_to=message.id,
                )
            except SendRefusedError as error:
                log.warning("account %s: %s", message.account, error)
        await message.done()
        _print(message, "done")


def _print(message: Message, what: str) -> None:
    told = {
        "type": what,
        "account": message.account,
        "seq": message.seq,
        "id": message.id,
        "from": message.from_,
        "text": message.text,
    }
    sys.stdout.buffer.write(msgspec.json.encode(told) + b"\n")
    sys.stdout.buffer.flush()


def _tell_all(
    account: str, fact: Fact, before: Account, after: Account, acts: list[Command]
) -> None:
    log.debug("%s %s", account, describe_line(fact, before, after, acts))


def _tell_changes(
    account: str, fact: Fact, before: Account, after: Account, acts: list[Command]
) -> None:
    moved = (
        before.session.phase != after.session.phase
        or before.connection.phase != after.connection.phase
    )
    bad = any(isinstance(act, Report) and act.state in TROUBLED for act in acts)
    if moved or bad:
        log.info("%s %s", account, describe_line(fact, before, after, acts))
