"""`holdfast salvage`: what a damaged journal still holds, as a new one."""

from pathlib import Path

import click

from holdfast.io.journal_errors import DataFolderInUseError, JournalError
from holdfast.io.journal_salvage import Saved, salvage
from holdfast.io.journal_schema import FILE_NAME, journal_path
from holdfast.replay.exits import UNREADABLE, USAGE


def salvage_folder(folder: Path, output: Path) -> int:
    """Save what can be read of a data folder's journal; return the exit code."""
    try:
        found = salvage(folder, output)
    except FileExistsError as error:
        click.echo(f"{error}: is there already; name a new folder", err=True)
        return USAGE
    except DataFolderInUseError as error:
        click.echo(f"holdfast: {error}", err=True)
        return USAGE
    except JournalError as error:
        click.echo(f"holdfast: {error}", err=True)
        return UNREADABLE
    except OSError as error:
        click.echo(f"{error.filename or output}: {error.strerror}", err=True)
        return USAGE
    for one in found:
        click.echo(_told(one))
    old, new = journal_path(folder), output / FILE_NAME
    click.echo(
        f"To go on with it: move {old}* to a safe place, then {new} to {old}.", err=True
    )
    return 0


def _told(one: Saved) -> str:
    if one.last:
        return f"account {one.account}: saved facts {one.first} to {one.last}"
    return f"account {one.account}: nothing could be saved, it begins anew"
