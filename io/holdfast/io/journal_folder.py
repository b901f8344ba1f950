"""The data folder: made for one user, held by one process at a time."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from holdfast.io.journal_errors import DataFolderInUseError
from holdfast.io.journal_schema import FILE_NAME

LOCK_NAME = "holdfast.lock"
FOLDER_MODE = 0o700
FILE_MODE = 0o600


@contextmanager
def hold_folder(data_dir: str | Path) -> Iterator[Path]:
    """Make the folder if need be, hold it, and give the path of the journal in it.

    The kernel lets go of a folder when its process ends, however that comes about.
    Raises DataFolderInUseError when somebody else holds it, OSError when it cannot be
    made or written.
    """
    folder = Path(data_dir).absolute()
    folder.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
    lock = os.open(folder / LOCK_NAME, os.O_RDWR | os.O_CREAT, FILE_MODE)
    try:
        _lock(lock, folder)
        yield _protected(folder / FILE_NAME)
    finally:
        os.close(lock)


def _lock(lock: int, folder: Path) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        holder = os.pread(lock, 20, 0).decode("ascii", "replace").strip()
        raise DataFolderInUseError(folder, holder) from error
    os.truncate(lock, 0)
    os.pwrite(lock, f"{os.getpid()}\n".encode("ascii"), 0)


def _protected(path: Path) -> Path:
    """Keep the file to its owner before anything is in it.

    SQLite gives the files beside it the same mode. A file that is there is not opened:
    closing it again would drop the locks of whoever reads it in this process.
    """
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, FILE_MODE))
    for name in (path.name, f"{path.name}-wal", f"{path.name}-shm"):
        if (file := path.with_name(name)).is_file():
            file.chmod(FILE_MODE)
    return path
