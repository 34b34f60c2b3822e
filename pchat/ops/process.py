"""The server as a process: its log, its signals, what it says when it listens and how it ends.

Only this module knows twistd's habits. The reactor, the streams and the signal call are injected.
"""

from __future__ import annotations

import atexit
import errno
import os
import signal
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any, TextIO

from twisted.application.service import IService, MultiService
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IReactorCore, IReactorFromThreads
from twisted.logger import ILogObserver, Logger
from twisted.python.components import Componentized
from twisted.python.failure import Failure
from zope.interface import Attribute

from pchat.config import Config, listeners_by_key
from pchat.errors import PchatError
from pchat.ops.announcement import announcement
from pchat.ops.logs import JsonLines

log = Logger()

SetSignal = Callable[[int, Callable[[int, FrameType | None], None]], Any]


class IChatServer(IService):
    """What `pchat.listening.make_service` returns: a service that tells when it listens."""

    listening = Attribute("A Deferred that fires when every listener is open, or fails with the reason.")
    addresses = Attribute("``host:port`` of the open listeners, in the configuration's order: sip and web.")

    def reload() -> None:
        """Read certificates and keys again for connections to come; those that stand are left alone."""


class IReactor(IReactorCore, IReactorFromThreads):
    """What a process needs of the reactor."""


def end_with_failure() -> None:
    """Let the process end with status 1 once twistd has tidied up; twistd itself would end with 0."""
    # Registered last, it runs first of all exits' functions: the reactor and its threads are done by then.
    atexit.register(os._exit, 1)


class ServerProcess(MultiService):
    """The top service that twistd runs.

    Args:
        server: An `IChatServer`.
        config: The configuration that the server was made from.
        reactor: The running or soon running reactor.
        observer: Writes the log; given to twistd as the application's own.
        out: Where the announcement goes: standard output, as it was before twistd took it for the log.
        err: Where the one line goes that tells why the server did not start.
        set_signal: `signal.signal` outside tests.
        fail: Called when the start failed, before the reactor is stopped.
        config_path: Where the configuration was read, for advice.
    """

    def __init__(
        self,
        server: IChatServer,
        config: Config,
        reactor: IReactor,
        observer: JsonLines,
        *,
        out: TextIO,
        err: TextIO,
        set_signal: SetSignal = signal.signal,
        fail: Callable[[], None] = end_with_failure,
        config_path: Path = Path("pchat.toml"),
    ) -> None:
        MultiService.__init__(self)
        self._server = server
        self._config = config
        self._reactor = reactor
        self._observer = observer
        self._out = out
        self._err = err
        self._set_signal = set_signal
        self._fail = fail
        self._config_path = config_path
        MultiService.addService(self, server)

    def setServiceParent(self, parent: Any) -> None:
        """Join twistd's application and give it our log observer, which it starts before the services."""
        if isinstance(parent, Componentized):
            parent.setComponent(ILogObserver, self._observer)
        MultiService.setServiceParent(self, parent)

    def startService(self) -> None:
        """Start the server; when it listens say so, and when it cannot, say why and stop."""
        # Reactors set their own handlers when they start to run; ours must come after those.
        self._reactor.callWhenRunning(self._take_signals)
        MultiService.startService(self)
        self._server.listening.addCallbacks(self._announce, self._give_up)

    def _take_signals(self) -> None:
        # Twisted's own handler for SIGTERM makes twistd die by that signal; operators expect status 0.
        self._set_signal(signal.SIGTERM, self._on_signal(self._reactor.stop))
        self._set_signal(signal.SIGINT, self._on_signal(self._reactor.stop))
        self._set_signal(signal.SIGHUP, self._on_signal(self._reload))

    def _on_signal(self, action: Callable[[], Any]) -> Callable[[int, FrameType | None], None]:
        def receive(number: int, frame: FrameType | None) -> None:
            self._reactor.callFromThread(action)

        return receive

    def _reload(self) -> None:
        done = [
            self._attempt(self._observer.stream.reopen, "the old log file stays in use"),
            self._attempt(self._server.reload, "the old certificates stay in use"),
        ]
        # Told afterwards, so that it stands in the new file, and is true.
        if all(done):
            log.info("reloaded: log file and certificates were opened again")

    def _attempt(self, action: Callable[[], None], otherwise: str) -> bool:
        """Do a part of a reload; what an operator can mend is told in one line without a traceback."""
        problem: str | None = None
        try:
            action()
        except (OSError, PchatError) as error:
            problem = str(error)
        except Exception:
            log.failure("{otherwise}", otherwise=otherwise)
            return False
        if problem is not None:
            log.error("{otherwise}: {problem}", otherwise=otherwise, problem=problem)
        return problem is None

    def _announce(self, _: object) -> None:
        try:
            self._out.write(announcement(self._config, self._server.addresses))
            self._out.flush()
        except (OSError, ValueError):
            log.info("listening (nobody reads standard output)")

    def _give_up(self, failure: Failure) -> None:
        reason = self._reason(failure.value)
        if reason is None:
            reason = f"an unexpected error ({type(failure.value).__name__}); its traceback is in the log"
            log.failure("the server did not start", failure=failure)
        self._err.write(f"pchat: {reason}\n")
        self._err.flush()
        if self._config.log.file is None:
            self._observer.only("warn")  # the line stays the last one, though much is still closed
        self._fail()
        self._reactor.callWhenRunning(self._reactor.stop)

    def _reason(self, error: BaseException | None) -> str | None:
        """Tell in one line what an operator can mend, or None if it is not his doing."""
        if isinstance(error, CannotListenError):
            return self._cannot_listen(error)
        return str(error) if isinstance(error, PchatError) else None

    def _cannot_listen(self, error: CannotListenError) -> str:
        cause = getattr(error.socketError, "strerror", None) or error.socketError
        if isinstance(error.port, str):  # the path of a UNIX socket
            return f"cannot listen on {error.port}: {cause}"
        host = f"[{error.interface}]" if ":" in str(error.interface) else error.interface
        line = f"cannot listen on {host}:{error.port}: {cause}"
        for key, listener in listeners_by_key(self._config):
            if (listener.host, listener.port) == (error.interface, error.port):
                busy = getattr(error.socketError, "errno", None) == errno.EADDRINUSE
                stop = " or stop who uses it" if busy else ""
                return f"{line}; change {key}.address in {self._config_path}{stop}"
        return line
