"""The pid file in the run directory: twistd writes it, and would stop at one that was left behind."""

from __future__ import annotations

import os
from pathlib import Path

from pchat.config import ServerConfig
from pchat.errors import OperatorError

#: No number of a process has more digits; anything longer is not read.
PID_BYTES = 32


def prepare_pid_file(server: ServerConfig) -> Path:
    """Make the run directory, and forget what a killed server left in the pid file.

    Args:
        server: The section of the configuration.

    Returns:
        Where the pid file belongs.

    Raises:
        OperatorError: A server runs already, or the directory cannot be used.
    """
    try:
        server.run.mkdir(mode=0o700, parents=True, exist_ok=True)
        _forget_strange_pid(server.pid_file)
    except OSError as error:
        raise OperatorError(f"server.run: {server.run} cannot be used: {error.strerror}") from error
    return server.pid_file


def _forget_strange_pid(pid_file: Path) -> None:
    """Tell in one line that a server runs; forget a killed server, whoever has its number now.

    twistd would refuse to start if another program has the number, or if there is none in the file, as
    after a full disk. That two servers never share a store is the concern of the store's lock, so nothing
    is risked here.
    """
    try:
        with pid_file.open("rb") as file:
            number = int(file.read(PID_BYTES))
        command = Path(f"/proc/{number}/cmdline").read_bytes()
    except FileNotFoundError:
        pid_file.unlink(missing_ok=True)
        return
    except (ProcessLookupError, ValueError):
        command, number = b"", 0
    if number != os.getpid() and b"pchat" in command:
        raise OperatorError(f"a server runs here already: process {number}, by {pid_file}")
    pid_file.unlink()
