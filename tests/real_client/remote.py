"""A test's side of the real client: start it, command it, wait for what it shows."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

from tests.real_client.traffic import SipMessage

REPOSITORY = Path(__file__).resolve().parents[2]
EVENT_LIMIT = 20.0
"""Seconds to wait for an event; generous, since two cores may be shared with the rest of a suite."""
EXIT_LIMIT = 10.0
START_LIMIT = 60.0
CLIENT_MODULE = "tests.real_client.client"

Event = dict[str, Any]


class EventMissing(AssertionError):
    """What a test waited for did not happen in time; the text shows what did."""


def missing_client() -> str | None:
    """Tell why the real client cannot run here, or None if it can."""
    with tempfile.TemporaryDirectory(prefix="pchat-client-") as directory:
        arguments = ["--user", "nobody@example.com", "--password", "unused", "--server", "localhost:1"]
        answer = subprocess.run(
            [sys.executable, "-m", CLIENT_MODULE, *arguments, *_places(Path(directory))],
            cwd=REPOSITORY,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=START_LIMIT,
            check=False,
        )
    if answer.returncode == 0:
        return None
    return answer.stderr.strip().rpartition("\n")[2] or f"the client ended with status {answer.returncode}"


def _places(directory: Path) -> list[str]:
    return ["--profile", str(directory / "profile"), "--debug-log", str(directory / "debug.log")]


def _trusting(directory: Path, authority: Path) -> Path:
    """Make a directory with one trusted certificate in it, which is what libpurple wants."""
    trusted = directory / "trusted"
    trusted.mkdir()
    shutil.copyfile(authority, trusted / "ca.pem")
    return trusted


class RealClient:
    """One pidgin-sipe in a child process.

    Args:
        directory: An empty directory for its profile, its log and the certificates it trusts.
        user: Sign-in name, ``alice@example.com``.
        password: Its password.
        server: ``host:port``.
        authority: Certificate of the authority to trust, or None to trust none but the system's.
        login: ``DOMAIN\\user``, if it signs in by another name.
        reconnect: Seconds after which it connects again by itself; 0: never.
        elsewhere: Tells what else helps to understand a failure: the end of the server's log.
    """

    def __init__(
        self,
        directory: Path,
        *,
        user: str,
        password: str,
        server: str,
        authority: Path | None,
        login: str | None = None,
        reconnect: float = 0,
        elsewhere: Callable[[], str] = lambda: "",
    ) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.user = user
        self._elsewhere = elsewhere
        self._log = directory / "debug.log"
        arguments = ["--user", user, "--password", password, "--server", server]
        arguments += ["--reconnect", str(reconnect), *_places(directory)]
        arguments += ["--login", login] if login else []
        arguments += ["--trust-ca", str(_trusting(directory, authority))] if authority else []
        self._errors = (directory / "stderr.log").open("wb")
        self._process = subprocess.Popen(
            [sys.executable, "-m", CLIENT_MODULE, *arguments],
            cwd=REPOSITORY,
            env={**os.environ, "LC_ALL": "C.UTF-8", "LANG": "C.UTF-8"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            encoding="utf-8",
            bufsize=1,
        )
        self._events: list[Event] = []
        self._unseen: list[Event] = []
        self._ended = False
        self._changed = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.expect("ready", START_LIMIT)

    def __enter__(self) -> RealClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            event = json.loads(line)
            with self._changed:
                self._events.append(event)
                self._unseen.append(event)
                self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    # -- commands

    def command(self, name: str, **fields: Any) -> None:
        """Send a command of `tests.real_client.client`."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"cmd": name, **fields}) + "\n")
        self._process.stdin.flush()

    def sign_in(self, chat: bool = True) -> None:
        """Connect and wait until the client shows itself as signed in, and has found the chat service."""
        self.command("connect")
        self.signed_in(chat)

    def signed_in(self, chat: bool = True) -> None:
        """Wait until the client is signed in, after a connection of its own accord too."""
        self.expect("state", state="connected")
        if chat:
            # the last thing it does by itself once the chat service is there
            self.expect("sip", way="out", text=re.compile("cmd:getinv"))

    def rooms(self) -> dict[str, Event]:
        """Ask for the room list and return it by name."""
        self.forget("room", "rooms-done")
        self.command("rooms")
        self.expect("rooms-done")
        return {event["name"]: event for event in self.unseen("room")}

    def join(self, uri: str) -> None:
        """Join a room and wait until its window is there."""
        self.command("join", uri=uri)
        self.expect("joined", uri=uri)

    def users(self, uri: str) -> Event:
        """Return what the window of a room shows as its users."""
        self.command("users", uri=uri)
        return self.expect("users", uri=uri)

    # -- events

    def expect(self, event: str, timeout: float = EVENT_LIMIT, **match: Any) -> Event:
        """Return the first event, not yet returned, that matches; wait for it.

        Args:
            event: Name of the event.
            timeout: Limit in seconds.
            match: Values of fields; a compiled pattern is searched for.

        Raises:
            EventMissing: It did not come.
        """
        deadline = time.monotonic() + timeout
        with self._changed:
            while True:
                for record in self._unseen:
                    if record["ev"] == event and _fits(record, match):
                        self._unseen.remove(record)
                        return record
                left = deadline - time.monotonic()
                if left <= 0 or self._ended:
                    raise EventMissing(self._story(f"{event} {match}"))
                self._changed.wait(left)

    def unseen(self, event: str) -> list[Event]:
        """Return events that nobody waited for yet."""
        with self._changed:
            return [record for record in self._unseen if record["ev"] == event]

    def seen(self, event: str) -> list[Event]:
        """Return all events of a name since the start."""
        with self._changed:
            return [record for record in self._events if record["ev"] == event]

    def forget(self, *events: str) -> None:
        """Let `expect` wait only for what comes from now on, of these events."""
        with self._changed:
            self._unseen = [record for record in self._unseen if record["ev"] not in events]

    def _story(self, wanted: str) -> str:
        events = "\n".join(
            json.dumps(event, ensure_ascii=False) for event in self._events[-40:] if event["ev"] != "sip"
        )
        tail = self._log.read_text(encoding="utf-8", errors="replace")[-6000:] if self._log.exists() else ""
        start = f"{self.user} waited in vain for {wanted}; its events:\n{events}\n"
        return f"{start}its log ends:\n{tail}\n{self._elsewhere()}"

    def log(self) -> str:
        """Return what the plug-in wrote about its doings."""
        return self._log.read_text(encoding="utf-8", errors="replace")

    def traffic(self) -> list[SipMessage]:
        """Return the SIP messages of this client so far."""
        return [SipMessage.from_event(event) for event in self.seen("sip")]

    def close(self) -> None:
        """Sign out and end the process; whatever hangs is killed."""
        if self._process.poll() is None:
            try:
                self.command("quit")
                self._process.wait(EXIT_LIMIT)
            except (BrokenPipeError, subprocess.TimeoutExpired):
                self._process.kill()
        self._process.wait(EXIT_LIMIT)
        self._reader.join(EXIT_LIMIT)
        for stream in (self._process.stdin, self._process.stdout, self._errors):
            if stream is not None:
                stream.close()


def _fits(event: Event, match: dict[str, Any]) -> bool:
    for key, wanted in match.items():
        got = event.get(key)
        if isinstance(wanted, re.Pattern):
            if got is None or not wanted.search(str(got)):
                return False
        elif got != wanted:
            return False
    return True
