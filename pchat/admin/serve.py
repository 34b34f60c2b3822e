"""``pchatctl serve``: twistd in this process, with its pid file in the run directory."""

from __future__ import annotations

import os
from pathlib import Path

from twisted.python import usage
from twisted.scripts.twistd import ServerOptions, runApp  # type: ignore[attr-defined]  # one a platform

from pchat.config import load_config
from pchat.errors import OperatorError
from pchat.ops.pid_file import prepare_pid_file


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
    pid_file = prepare_pid_file(load_config(path).server)
    options = ServerOptions()
    try:
        options.parseOptions(
            ["--nodaemon", "--pidfile", os.fspath(pid_file), "pchat", "--config", os.fspath(path)]
        )
    except usage.UsageError as error:
        raise OperatorError(f"twistd does not know pchat: {error}") from error
    runApp(options)
