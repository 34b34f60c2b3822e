"""`pchat.ops.process`: what twistd, signals and an operator's terminal see of a server."""

from __future__ import annotations

import io
import signal
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import attrs
from twisted.application.service import Application, IServiceCollection, Service
from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError
from twisted.logger import ILogObserver, Logger, globalLogPublisher
from twisted.scripts.twistd import ServerOptions  # type: ignore[attr-defined]  # one a platform
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from pchat.config import Config, ServerConfig, SipConfig, SipListener, WebConfig, WebListener
from pchat.errors import ConfigError, OperatorError
from pchat.ops.announcement import announcement
from pchat.ops.logs import JsonLines, LogStream
from pchat.ops.process import IChatServer, IReactor, ServerProcess
from pchat.tap import Options, make_process


@implementer(IChatServer)
class FakeServer(Service):
    """A server whose listening the test decides."""

    def __init__(self) -> None:
        self.listening: Deferred[None] = Deferred()
        self.addresses = {"sip": ["127.0.0.1:40001"], "web": ["127.0.0.1:40002"]}
        self.reloads = 0
        self.broken: Exception | None = None

    def reload(self) -> None:
        self.reloads += 1
        if self.broken is not None:
            raise self.broken


class ProcessReactor:
    """As much of a reactor as a process needs; notes whether it was stopped."""

    running = False
    stopped = False

    def __init__(self) -> None:
        self.waiting: list[Callable[[], Any]] = []

    def callWhenRunning(self, call: Callable[[], Any]) -> None:
        if self.running:
            call()
        else:
            self.waiting.append(call)

    def callFromThread(self, call: Callable[[], Any]) -> None:
        call()

    def run(self) -> None:
        self.running = True
        for call in self.waiting:
            call()

    def stop(self) -> None:
        self.stopped = True


class ProcessCase(SynchronousTestCase):
    """A process with a fake server, in a directory of its own."""

    def setUp(self) -> None:
        made = tempfile.TemporaryDirectory(prefix="pchat-")
        self.addCleanup(made.cleanup)
        self.home = Path(made.name).resolve()
        self.out, self.err = io.StringIO(), io.StringIO()
        self.reactor = ProcessReactor()
        self.server = FakeServer()
        self.signals: dict[int, Callable[..., None]] = {}
        self.failures: list[str] = []
        self.config = Config(server=ServerConfig(data=self.home / "data", run=self.home / "run"))
        self.observer = JsonLines(LogStream(self.home / "log"))
        self.process = self.make_process()

    def make_process(self) -> ServerProcess:
        return ServerProcess(
            self.server,
            self.config,
            cast(IReactor, self.reactor),
            self.observer,
            out=self.out,
            err=self.err,
            set_signal=self.signals.__setitem__,
            fail=lambda: self.failures.append("1"),
            config_path=Path("/etc/pchat.toml"),
        )

    def start(self) -> None:
        self.process.startService()
        self.reactor.run()


class StartTests(ProcessCase):
    """From twistd's call to a listening server."""

    def test_fake(self) -> None:
        """The fake is what the process expects of a server."""
        verifyObject(IChatServer, self.server)

    def test_log_observer(self) -> None:
        """twistd writes its log through ours, whichever way it was started."""
        application = Application("pchat")
        self.process.setServiceParent(application)
        self.assertIs(self.observer, application.getComponent(ILogObserver))
        self.assertEqual([self.process], list(cast(Any, IServiceCollection(application))))

    def test_announced(self) -> None:
        """Nothing is announced before the server listens."""
        self.start()
        self.assertTrue(self.server.running)
        self.assertEqual("", self.out.getvalue())
        self.server.listening.callback(None)
        self.assertEqual(announcement(self.config, self.server.addresses), self.out.getvalue())
        self.assertEqual("", self.err.getvalue())

    def test_nobody_reads(self) -> None:
        """A closed standard output does not stop the server."""
        self.start()
        self.out.close()
        self.server.listening.callback(None)
        self.assertFalse(self.reactor.stopped)

    def assert_gives_up(self, error: Exception, line: str) -> None:
        self.start()
        self.server.listening.errback(error)
        self.assertEqual(line + "\n", self.err.getvalue())
        self.assertEqual(["1"], self.failures)
        self.assertTrue(self.reactor.stopped)

    def test_busy_port(self) -> None:
        """A busy port is told in one line that names it, and the process fails."""
        self.assert_gives_up(
            CannotListenError("127.0.0.1", 5061, OSError(98, "Address already in use")),
            "pchat: cannot listen on 127.0.0.1:5061: Address already in use; change sip.listeners[0].address"
            " in /etc/pchat.toml or stop who uses it",
        )

    def test_port_not_ours(self) -> None:
        """Where nobody uses the port, nobody is to be stopped."""
        self.assert_gives_up(
            CannotListenError("127.0.0.1", 8443, OSError(13, "Permission denied")),
            "pchat: cannot listen on 127.0.0.1:8443: Permission denied; change web.listeners[0].address"
            " in /etc/pchat.toml",
        )

    def test_last_line(self) -> None:
        """What is logged while everything is closed again does not bury the reason, but warnings do come."""
        self.observer = JsonLines(LogStream(None, self.err))
        self.process = self.make_process()
        self.start()
        self.server.listening.errback(OperatorError("no store"))
        log = Logger(observer=self.observer)
        log.info("stopped")
        self.assertEqual("pchat: no store\n", self.err.getvalue())
        log.warn("something else is wrong")
        self.assertIn("something else", self.err.getvalue())

    def test_busy_ipv6_port(self) -> None:
        """The address is written as the configuration has it."""
        self.assert_gives_up(
            CannotListenError("::1", 5061, OSError(98, "Address already in use")),
            "pchat: cannot listen on [::1]:5061: Address already in use",
        )

    def test_admin_socket(self) -> None:
        """A UNIX socket that cannot be made is told by its path."""
        self.assert_gives_up(
            CannotListenError("any", "/srv/run/admin.sock", OSError(13, "Permission denied")),
            "pchat: cannot listen on /srv/run/admin.sock: Permission denied",
        )

    def test_at_once(self) -> None:
        """A start that fails before the reactor runs stops it as soon as it runs."""
        self.server.listening.errback(OperatorError("no store"))
        self.process.startService()
        self.assertFalse(self.reactor.stopped)
        self.reactor.run()
        self.assertTrue(self.reactor.stopped)

    def test_store_locked(self) -> None:
        """What an operator can mend is told in one line."""
        self.assert_gives_up(
            OperatorError("the store is used by process 7"), "pchat: the store is used by process 7"
        )

    def test_bug(self) -> None:
        """A bug is told in one line; its traceback is in the log."""
        self.assert_gives_up(
            RuntimeError("oh"), "pchat: an unexpected error (RuntimeError); its traceback is in the log"
        )
        self.assertEqual(1, len(self.flushLoggedErrors(RuntimeError)))


class SignalTests(ProcessCase):
    """SIGTERM, SIGINT and SIGHUP."""

    def test_after_the_reactor(self) -> None:
        """Our signal functions are set when the reactor runs, since it sets its own when it begins."""
        self.process.startService()
        self.assertEqual({}, self.signals)
        self.reactor.run()
        self.assertEqual({signal.SIGTERM, signal.SIGINT, signal.SIGHUP}, set(self.signals))

    def test_terminate(self) -> None:
        """SIGTERM and SIGINT stop the reactor in good order."""
        self.start()
        for number in (signal.SIGTERM, signal.SIGINT):
            self.reactor.stopped = False
            self.signals[number](number, None)
            self.assertTrue(self.reactor.stopped)

    def test_hang_up(self) -> None:
        """SIGHUP opens the log file again and lets the server read its certificates."""
        self.start()
        (self.home / "log").rename(self.home / "log.1")
        self.signals[signal.SIGHUP](signal.SIGHUP, None)
        self.assertTrue((self.home / "log").exists())
        self.assertEqual(1, self.server.reloads)

    def test_reload_told(self) -> None:
        """That all was opened again is told when it is true, in the new log file."""
        self.start()
        old, new = self.home / "log.1", self.home / "log"
        new.rename(old)
        globalLogPublisher.addObserver(self.observer)
        self.addCleanup(globalLogPublisher.removeObserver, self.observer)
        self.signals[signal.SIGHUP](signal.SIGHUP, None)
        self.assertIn("reloaded: ", new.read_text())
        self.assertEqual("", old.read_text())
        self.server.broken = ConfigError("sip.listeners[0].key", "holds no PEM private key")
        self.signals[signal.SIGHUP](signal.SIGHUP, None)
        self.assertEqual(1, new.read_text().count("reloaded: "))
        self.assertIn("the old certificates stay in use: sip.listeners[0].key: holds no", new.read_text())

    def test_bad_certificate(self) -> None:
        """A bad new certificate, or a log file that cannot be opened, leaves the server running."""
        self.start()
        self.server.broken = ConfigError("sip.listeners[0].key", "does not belong to the certificate")
        (self.home / "log").rename(self.home / "log.1")
        (self.home / "log").mkdir()
        self.signals[signal.SIGHUP](signal.SIGHUP, None)
        self.server.broken = RuntimeError("oh")
        self.signals[signal.SIGHUP](signal.SIGHUP, None)
        self.assertEqual(2, self.server.reloads)
        self.assertFalse(self.reactor.stopped)
        self.assertEqual(1, len(self.flushLoggedErrors(RuntimeError)))


class AnnouncementTests(ProcessCase):
    """The lines that an operator reads."""

    def test_demo(self) -> None:
        """The SIP address, the web address, the place of the passwords and how to connect are told."""
        self.home.joinpath("demo-accounts.json").write_text("{}")
        config = attrs.evolve(
            self.config,
            sip=SipConfig(
                listeners=(SipListener(address="[::1]:5061", certificate=self.home / "tls" / "server.pem"),)
            ),
            web=WebConfig(listeners=(WebListener(address="127.0.0.1:0", transport="tcp"),)),
        )
        text = announcement(config, {"sip": ["[::1]:5061"], "web": ["127.0.0.1:40002"]})
        self.assertIn("TLS [::1]:5061", text)
        self.assertIn("http://127.0.0.1:40002/", text)
        self.assertIn(str(self.home / "demo-accounts.json"), text)
        self.assertIn(str(self.home / "tls" / "ca.pem"), text)
        self.assertIn("pidgin-sipe", text)

    def test_without_demo(self) -> None:
        """Accounts are not spoken of where there are none of ours."""
        self.assertNotIn("passwords", announcement(self.config, self.server.addresses))


class TapTests(ProcessCase):
    """`pchat.tap`, as twistd calls it."""

    def make(self, text: str) -> ServerProcess:
        path = self.home / "pchat.toml"
        path.write_text(text)
        return make_process(
            path,
            cast(IReactor, self.reactor),
            lambda config, reactor: self.server,
            out=self.out,
            err=self.err,
        )

    def test_options(self) -> None:
        """--config names the file."""
        options = Options()
        options.parseOptions(["--config", "/etc/pchat.toml"])
        self.assertEqual("/etc/pchat.toml", options["config"])

    def parse(self, *words: str, text: str = "") -> ServerOptions:
        """Let twistd parse a command line for a configuration."""
        path = self.home / "pchat.toml"
        path.write_text(text)
        options = ServerOptions()
        options.parseOptions([*words, "pchat", "--config", str(path)])
        return options

    def test_pid_file(self) -> None:
        """twistd's pid file is that of the run directory, unless the operator names another."""
        pid_file = self.home / "run" / "twistd.pid"
        self.assertEqual(str(pid_file), self.parse("-n")["pidfile"])
        self.assertTrue(pid_file.parent.is_dir())
        pid_file.write_text("garbage")
        self.parse("-n")
        self.assertFalse(pid_file.exists())
        self.assertEqual("/tmp/other", self.parse("-n", "--pidfile", "/tmp/other")["pidfile"])
        self.assertEqual("", self.parse("-n", "--pidfile=")["pidfile"])

    def test_daemon(self) -> None:
        """A daemon without a log file is refused in one line: nobody would ever know how it is."""
        end = self.assertRaises(SystemExit, self.parse)
        self.assertRegex(str(end.code), r"^pchat: log\.file: [^\n]+$")
        self.parse(text='[log]\nfile = "log.json"')
        self.parse("--nodaemon")

    def test_wrong_for_twistd(self) -> None:
        """A wrong configuration is told before twistd does anything."""
        end = self.assertRaises(SystemExit, self.parse, text="[nonsense]")
        self.assertEqual("pchat: nonsense: is not a known key", end.code)

    def test_made(self) -> None:
        """A good configuration gives a service that logs where the configuration says."""
        process = self.make(
            '[log]\nfile = "log.json"\n[sip]\nlisteners=[{transport="tcp"}]\n[web]\nlisteners=[]'
        )
        self.assertEqual([self.server], list(process))
        self.assertTrue((self.home / "log.json").exists())

    def test_wrong(self) -> None:
        """A wrong configuration is one line that names the key; the exit status is 1."""
        end = self.assertRaises(SystemExit, self.make, "[sip.limits]\nheaders = 0")
        self.assertEqual("pchat: sip.limits.headers: must be from 1 to 1000000", end.code)

    def test_log_file(self) -> None:
        """A log file that cannot be written is told by its key."""
        end = self.assertRaises(
            SystemExit,
            self.make,
            '[log]\nfile="no/log"\n[sip]\nlisteners=[{transport="tcp"}]\n[web]\nlisteners=[]',
        )
        self.assertIn("log.file: ", str(end.code))
        self.assertNotIn("\n", str(end.code))
