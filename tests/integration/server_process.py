"""A whole server for a test or a benchmark: its own directory, free ports, a process that can be killed."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Collection, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]
START_LIMIT = 60.0
"""Seconds until a server listens; generous, since two cores may be shared with the rest of a suite."""
STOP_LIMIT = 15.0
"""Seconds until SIGTERM has ended a server; docs promise 10."""
COMMAND_LIMIT = 120.0
POLL = 0.02
"""Seconds between two looks for the file that says the server listens; its end is noticed at once."""
LOG_TAIL = 8000
"""Characters of the server's log that a failure shows."""

FREE_PORT = "127.0.0.1:0"


class ServerFailed(AssertionError):
    """The server, or a command of ``pchatctl``, did not do what it should; the text shows its output."""


def _pchatctl() -> list[str]:
    script = Path(sys.executable).with_name("pchatctl")
    if script.exists():
        return [str(script)]
    return [sys.executable, "-c", "from pchat.admin.main import main; main()"]


class ServerProcess:
    """A server of its own, made by ``pchatctl init`` and run by ``pchatctl serve``.

    The ports are the system's choice at the first start and stay the same from then on.

    Args:
        arguments: Further arguments of ``pchatctl init``.
        domain: SIP domain.
        cpus: CPUs that the server may use; None: all.
        under: Command that runs the server, such as strace; the server must stay the direct child.
    """

    def __init__(
        self,
        *arguments: str,
        domain: str = "example.com",
        cpus: Collection[int] | None = None,
        under: Sequence[str] = (),
    ) -> None:
        # a short path: the admin socket below it must fit into a socket address
        self.home = Path(tempfile.mkdtemp(prefix="pchat-"))
        self.directory = self.home / "server"
        self.domain = domain
        self.config = self.directory / "pchat.toml"
        self.authority = self.directory / "tls" / "ca.pem"
        self.log = self.home / "server.log"
        self._cpus = cpus
        self._under = under
        self._listening = self.directory / "run" / "listening.json"
        self._process: subprocess.Popen[bytes] | None = None
        self._addresses: dict[str, list[str]] = {}
        try:
            self._run(
                *("init", str(self.directory), "--domain", domain),
                *("--sip-listen", FREE_PORT, "--web-listen", FREE_PORT, *arguments),
            )
        except BaseException:
            shutil.rmtree(self.home)
            raise

    def __enter__(self) -> ServerProcess:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.discard()

    # -- life

    @property
    def pid(self) -> int:
        """Process id of the running server."""
        assert self._process is not None
        return self._process.pid

    @property
    def sip(self) -> str:
        """``host:port`` of the first SIP listener."""
        return self._addresses["sip"][0]

    @property
    def web(self) -> str:
        """``host:port`` of the first web listener."""
        return self._addresses["web"][0]

    def start(self, limit: float = START_LIMIT) -> None:
        """Start the server and wait until it listens.

        Raises:
            ServerFailed: It ended, or did not listen in time.
        """
        self._listening.unlink(missing_ok=True)
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [*self._under, *_pchatctl(), "--config", str(self.config), "serve"],
                cwd=REPOSITORY,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        if self._cpus is not None:
            os.sched_setaffinity(self._process.pid, self._cpus)  # threads made later inherit it
        deadline = time.monotonic() + limit
        while not self._read_addresses():
            try:
                status = self._process.wait(POLL)
            except subprocess.TimeoutExpired:
                if time.monotonic() > deadline:
                    self.kill()
                    raise ServerFailed(f"not listening after {limit} s\n{self.log_tail()}") from None
            else:
                raise ServerFailed(f"the server ended with status {status}\n{self.log_tail()}")
        self.configure("sip.listeners", address=self.sip)
        self.configure("web.listeners", address=self.web)

    def _read_addresses(self) -> bool:
        try:
            self._addresses = json.loads(self._listening.read_text())
        except (FileNotFoundError, json.JSONDecodeError):
            return False
        return True

    def stop(self) -> None:
        """End the server by SIGTERM.

        Raises:
            ServerFailed: It did not end in time, or not with status 0.
        """
        self.ask_to_stop()
        self.wait_stopped()

    def ask_to_stop(self) -> None:
        """Send SIGTERM; `wait_stopped` must follow."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)

    def wait_stopped(self) -> None:
        """Wait for the end of a server that was asked to stop.

        Raises:
            ServerFailed: It did not end in time, or not with status 0.
        """
        assert self._process is not None
        try:
            status = self._process.wait(STOP_LIMIT)
        except subprocess.TimeoutExpired:
            self.kill()
            raise ServerFailed(f"alive {STOP_LIMIT} s after SIGTERM\n{self.log_tail()}") from None
        self._process = None
        if status != 0:
            raise ServerFailed(f"status {status} after SIGTERM\n{self.log_tail()}")

    def kill(self) -> None:
        """End the server by SIGKILL."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def discard(self) -> None:
        """Kill the server and remove everything that belongs to it."""
        self.kill()
        shutil.rmtree(self.home)

    # -- configuration and administration

    def configure(self, section: str, **values: str | int | list[str]) -> None:
        """Change keys of the first table ``section`` in the configuration; for the next start.

        Raises:
            ServerFailed: The file has no such key.
        """
        text = self.config.read_text()
        for key, value in values.items():
            pattern = rf"^\[\[?{re.escape(section)}\]\]?\n(?:(?!\[).*\n)*?{key} = (.*)$"
            found = re.search(pattern, text, re.MULTILINE)
            if not found:
                raise ServerFailed(f"no key {section}.{key} in {self.config}:\n{text}")
            # a JSON text, number or list of texts is TOML as well
            text = text[: found.start(1)] + json.dumps(value) + text[found.end(1) :]
        self.config.write_text(text)

    def ctl(self, *arguments: str, stdin: str = "") -> Any:
        """Run ``pchatctl --json`` on this server and return what it says, or None if it says nothing."""
        output = self._run("--config", str(self.config), "--json", *arguments, stdin=stdin)
        return json.loads(output) if output.strip() else None

    def _run(self, *arguments: str, stdin: str = "") -> str:
        answer = subprocess.run(
            [*_pchatctl(), *arguments],
            cwd=REPOSITORY,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=COMMAND_LIMIT,
            check=False,
        )
        if answer.returncode != 0:
            command = f"pchatctl {' '.join(arguments)}"
            raise ServerFailed(f"{command}: status {answer.returncode}\n{answer.stdout}\n{answer.stderr}")
        return answer.stdout

    def demo_password(self, name: str) -> str:
        """Return the password of a user that ``init --demo`` made."""
        accounts: dict[str, str] = json.loads((self.directory / "demo-accounts.json").read_text())
        return accounts[f"{name}@{self.domain}"]

    # -- log

    def log_tail(self) -> str:
        """Return the end of what the server wrote, of all its runs."""
        return self.log.read_text(errors="replace")[-LOG_TAIL:] if self.log.exists() else "(no log)"
