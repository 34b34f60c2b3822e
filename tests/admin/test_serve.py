"""`pchat.admin.serve`: what happens before twistd takes over."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from pchat.admin import serve
from pchat.errors import ConfigError, OperatorError


class ServeTests(SynchronousTestCase):
    """`serve`, with twistd's own run replaced."""

    def setUp(self) -> None:
        made = tempfile.TemporaryDirectory(prefix="pchat-")
        self.addCleanup(made.cleanup)
        self.home = Path(made.name).resolve()
        self.config = self.home / "pchat.toml"
        self.config.write_text('[web]\nlisteners = []\n[[sip.listeners]]\ntransport = "tcp"\n')
        self.pid_file = self.home / "run" / "twistd.pid"
        self.started: list[Any] = []
        self.patch(serve, "runApp", self.started.append)

    def test_options(self) -> None:
        """twistd runs in the foreground, with its pid file in the run directory, which is made."""
        serve.serve(self.config)
        (options,) = self.started
        self.assertTrue(options["nodaemon"])
        self.assertEqual(str(self.pid_file), options["pidfile"])
        self.assertEqual("pchat", options.subCommand)
        self.assertEqual(str(self.config), options.subOptions["config"])
        self.assertEqual(0o700, (self.home / "run").stat().st_mode & 0o777)

    def test_wrong_configuration(self) -> None:
        """A wrong configuration is told before anything is made."""
        self.config.write_text("[nonsense]")
        self.assertRaises(ConfigError, serve.serve, self.config)
        self.assertFalse(self.pid_file.parent.exists())

    def test_run_directory(self) -> None:
        """A run directory that cannot be made is told by its key."""
        (self.home / "run").write_text("")
        error = self.assertRaises(OperatorError, serve.serve, self.config)
        self.assertIn("server.run: ", str(error))

    def leave_pid(self, number: int) -> None:
        self.pid_file.parent.mkdir()
        self.pid_file.write_text(str(number))

    def test_running(self) -> None:
        """A server that runs already is named, and its pid file stays."""
        script = "import sys; print('up', flush=True); sys.stdin.read()"
        with subprocess.Popen(
            [sys.executable, "-c", script, "pchatctl"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        ) as other:
            assert other.stdout is not None
            other.stdout.readline()
            self.leave_pid(other.pid)
            error = self.assertRaises(OperatorError, serve.serve, self.config)
            other.kill()
        self.assertIn(f"process {other.pid}", str(error))
        self.assertTrue(self.pid_file.exists())
        self.assertEqual([], self.started)

    def test_garbage(self) -> None:
        """A pid file without a number, as a full disk leaves it, does not prevent the start."""
        self.pid_file.parent.mkdir()
        for content in (b"", b"\n", b"garbage", b"\xff" * 4_096, b"-1", b"99999999999999999999"):
            self.pid_file.write_bytes(content)
            serve.serve(self.config)
            self.assertFalse(self.pid_file.exists(), content)

    def test_strange_pid(self) -> None:
        """A killed server's number that another program has now, or we, does not prevent the start."""
        with subprocess.Popen(["sleep", "60"]) as other:
            self.leave_pid(other.pid)
            serve.serve(self.config)
            other.kill()
        self.assertFalse(self.pid_file.exists())
        self.pid_file.write_text(str(os.getpid()))
        serve.serve(self.config)
        self.assertFalse(self.pid_file.exists())
