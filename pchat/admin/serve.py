"""``pchatctl serve``: twistd in this process, with its pid file in the run directory."""

from __future__ import annotations

import os
from pathlib import Path

from twisted.python import usage
from twisted.scripts.twistd import ServerOptions, runApp  # type: ignore[attr-defined]  # one a platform

from pchat.config import load_config
from pchat.errors import OperatorError


def serve(config_path: Path | str) -> None:
    """Run the server in the foreground until SIGTERM or SIGINT.

    It is the same as ``twistd --nodaemon --pidfile RUN/twistd.pid pchat --config FILE``.

    Args:
        config_path: The configuration file.

    Raises:
        ConfigError: The configuration is wrong.
        OperatorError: A server runs already, the run directory cannot be used, or twistd does not know pchat.
        SystemExit: The start failed; why was written to standard error.
    """
    path = Path(config_path).absolute()
    server = load_config(path).server
    try:
        server.run.mkdir(mode=0o700, parents=True, exist_ok=True)
        _check_pid_file(server.pid_file)
    except OSError as error:
        raise OperatorError(f"server.run: {server.run} cannot be used: {error.strerror}") from error
    options = ServerOptions()
    try:
        options.parseOptions(
            ["--nodaemon", "--pidfile", os.fspath(server.pid_file), "pchat", "--config", os.fspath(path)]
        )
    except usage.UsageError as error:
        raise OperatorError(f"twistd does not know pchat: {error}") from error
    runApp(options)


def _check_pid_file(pid_file: Path) -> None:
    """Tell in one line that a server runs; forget a killed server whose number another program has now.

    twistd would refuse to start in both cases. That two servers never share a store is the concern of the
    store's lock, so nothing is risked here.
    """
    try:
        number = int(pid_file.read_text())
        command = Path(f"/proc/{number}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError, ValueError):
        return  # no file, no such process, or something twistd explains itself
    if number != os.getpid() and b"pchat" in command:
        raise OperatorError(f"a server runs here already: process {number}, by {pid_file}")
    pid_file.unlink()
