"""The lock that keeps a second process away from an SQLite store."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from pchat.errors import OperatorError, StoreInUse

#: Verifiers and messages are in these files.
PRIVATE_MODE = 0o600


def open_private(path: Path) -> int:
    """Open a file for reading and writing, ours alone whatever the umask; make it if it is missing.

    Raises:
        OperatorError: It cannot be opened.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, PRIVATE_MODE)
        os.fchmod(descriptor, PRIVATE_MODE)
    except OSError as error:
        raise OperatorError(f"{path}: {error.strerror}") from error
    return descriptor


class StoreLock:
    """``<store>.lock``: held while a process uses the store; the system lets go of it when the process ends.

    Args:
        path: The store's file.
    """

    def __init__(self, path: Path) -> None:
        self._store = path
        self._path = path.with_name(path.name + ".lock")
        self._descriptor: int | None = None

    def take(self) -> None:
        """Take the lock.

        Raises:
            StoreInUse: Another process has it.
            OperatorError: The lock's file is not accessible.
        """
        descriptor = open_private(self._path)
        try:
            # flock, not lockf: the latter is lost as soon as anything in this process closes the file.
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.read(descriptor, 32).strip()
            os.close(descriptor)
            # The holder writes its number a moment after it took the lock.
            raise StoreInUse(os.fspath(self._store), int(holder) if holder.isdigit() else None) from error
        except OSError as error:
            os.close(descriptor)
            raise OperatorError(f"{self._path}: {error.strerror}") from error
        os.ftruncate(descriptor, 0)
        os.write(descriptor, b"%d\n" % os.getpid())
        self._descriptor = descriptor

    def release(self) -> None:
        """Let go; the file stays, since removing it would race with the next process."""
        if self._descriptor is not None:
            os.ftruncate(self._descriptor, 0)
            os.close(self._descriptor)
            self._descriptor = None
