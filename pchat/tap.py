"""``twistd pchat --config FILE``: the only module that touches the global reactor.

Source: docs/operating.md "Starting and stopping".
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO, cast

from twisted.application.service import IService
from twisted.python import usage

from pchat.config import Config, load_config
from pchat.errors import ConfigError, OperatorError
from pchat.ops.logs import JsonLines, LogStream
from pchat.ops.pid_file import prepare_pid_file
from pchat.ops.process import IChatServer, IReactor, ServerProcess

#: Takes the configuration and the reactor.
MakeServer = Callable[[Config, Any], IChatServer]

#: What twistd takes without --pidfile, in its working directory, where two servers may stand.
TWISTD_PID_FILE = "twistd.pid"


class Options(usage.Options):
    """The options of ``twistd pchat``."""

    optParameters = [["config", "c", "pchat.toml", "Configuration file, as written by `pchatctl init DIR`."]]

    def postOptions(self) -> None:
        """Settle what twistd must know before it makes the server: its pid file, and that a daemon can log.

        Raises:
            SystemExit: The server cannot be started so; carries one line for standard error.
        """
        twistd = self.parent
        if twistd is None:
            return
        try:
            config = load_config(self["config"], with_tls=False)
            if config.log.file is None and not (twistd["nodaemon"] or twistd["debug"]):
                raise ConfigError("log.file", "a daemon has no standard error: name a file, or use twistd -n")
            if twistd["pidfile"] == TWISTD_PID_FILE:
                twistd["pidfile"] = os.fspath(prepare_pid_file(config.server))
        except OperatorError as error:
            raise SystemExit(f"pchat: {error}") from error


def make_process(
    config_path: Path | str, reactor: IReactor, make_server: MakeServer, *, out: TextIO, err: TextIO
) -> ServerProcess:
    """Make the service of a whole server process.

    Args:
        config_path: The configuration file.
        reactor: The reactor that will run it.
        make_server: `pchat.listening.make_service`, or a fake.
        out: Standard output, for the announcement.
        err: Standard error, for the log and for the reason of a failed start.

    Raises:
        SystemExit: The configuration is wrong; carries one line for standard error.
    """
    try:
        config = load_config(config_path)
        observer = JsonLines(_open_log(config, err), config.log.level)
    except ConfigError as error:
        raise SystemExit(f"pchat: {error}") from error
    server, path = make_server(config, reactor), Path(config_path)
    return ServerProcess(server, config, reactor, observer, out=out, err=err, config_path=path)


def _open_log(config: Config, err: TextIO) -> LogStream:
    try:
        return LogStream(config.log.file, err)
    except OSError as error:
        raise ConfigError("log.file", f"{config.log.file} cannot be written: {error.strerror}") from error


def makeService(options: Options) -> IService:
    """Make the service for twistd, from its parsed options."""
    from twisted.internet import reactor  # noqa: PLC0415  # choosing the reactor is twistd's business

    from pchat.listening import make_service  # noqa: PLC0415  # `twistd --help` must not load the server

    process = make_process(
        str(options["config"]), cast(IReactor, reactor), make_service, out=sys.stdout, err=sys.stderr
    )
    return cast(IService, process)
