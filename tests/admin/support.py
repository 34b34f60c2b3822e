"""Administration in memory, and a server's directory without certificates, for tests."""

from __future__ import annotations

import io
import json
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result
from twisted.internet.defer import ensureDeferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from pchat.admin.api import AdministrationApi
from pchat.admin.main import pchatctl
from pchat.admin.offline import at_once
from pchat.admin.session import Session
from pchat.config import Config
from pchat.foundation import AdministrationParts, assemble_administration
from pchat.testing.store import counting_random, memory_store
from pchat.web.problems import TITLES

ACTOR = "local:tester"
PASSWORD = "correct horse 1"

CONFIG = """
[server]
domain = "example.com"

[[sip.listeners]]
address = "127.0.0.1:0"
transport = "tcp"

[web]
listeners = []
"""


async def nothing_to_tell() -> dict[str, Any]:
    """Stand in for a server's status."""
    return {"version": "test"}


def make_parts() -> AdministrationParts:
    """Make administration of an empty store in memory."""
    clock = Clock()
    clock.advance(1_700_000_000)
    store = memory_store(clock)
    return at_once(ensureDeferred(assemble_administration(Config(), store, clock, counting_random())))


class Terminal(io.StringIO):
    """A standard output that says that it is a terminal."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        """Say so."""
        return True


class Asker:
    """Asks an interface, and takes its answers at once."""

    def __init__(self) -> None:
        self.parts = make_parts()
        self.api = AdministrationApi(self.parts, nothing_to_tell)

    def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> tuple[int, Any]:
        """Ask something below /api/v1/."""
        return at_once(self.api.call(method, f"/api/v1/{path}", body, ACTOR))

    def good(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """Ask something that is not to be refused."""
        status, value = self.call(method, path, body)
        if status >= 400:
            raise AssertionError(value)
        return value


class ApiCase(SynchronousTestCase):
    """An interface over an empty store."""

    def setUp(self) -> None:
        self.asker = Asker()
        self.call = self.asker.call
        self.good = self.asker.good

    def refusal(self, method: str, path: str, body: dict[str, Any] | None = None) -> tuple[int, str]:
        """Ask something that is to be refused; return status and code."""
        status, problem = self.call(method, path, body)
        self.assertEqual({"type", "title", "status", "detail", "code"}, set(problem))
        self.assertEqual(status, problem["status"])
        self.assertEqual(f"urn:pchat:problem:{problem['code']}", problem["type"])
        self.assertIn(problem["code"], TITLES)
        self.assertTrue(problem["detail"])
        return status, problem["code"]

    def category(self, name: str = "Work", allowed: Iterable[str] = ("example.com",)) -> None:
        """Make a category."""
        self.good("POST", "categories", {"name": name, "allowed_members": list(allowed)})

    def room(self, name: str, **fields: str) -> Any:
        """Make a room."""
        return self.good("POST", "rooms", {"name": name, "category": "Work", **fields})

    def user(self, name: str) -> Any:
        """Make an account."""
        return self.good("POST", "users", {"uri": f"{name}@example.com"})


def make_home(directory: Path) -> Path:
    """Make a server's directory; return the path of its configuration."""
    for name in ("data", "run"):
        (directory / name).mkdir(mode=0o700)
    path = directory / "pchat.toml"
    path.write_text(CONFIG)
    return path


class CommandCase(SynchronousTestCase):
    """A server's directory, for which no server runs, and its command line."""

    def setUp(self) -> None:
        made = tempfile.TemporaryDirectory(prefix="pchat-")
        self.addCleanup(made.cleanup)
        self.home = Path(made.name).resolve()
        self.config = make_home(self.home)
        self.session: Session | None = None

    def run_ctl(self, *arguments: str, stdin: str | bytes | None = None) -> Result:
        """Run ``pchatctl`` with this directory's configuration."""
        extra: dict[str, Any] = {} if self.session is None else {"obj": self.session}
        return CliRunner().invoke(
            pchatctl, ["--config", str(self.config), *arguments], input=stdin, prog_name="pchatctl", **extra
        )

    def ctl(self, *arguments: str, stdin: str | bytes | None = None) -> Any:
        """Run ``pchatctl --json``, which must succeed; return what it prints, or None."""
        result = self.run_ctl("--json", *arguments, stdin=stdin)
        self.assertEqual((0, ""), (result.exit_code, result.stderr), result.output)
        return json.loads(result.stdout) if result.stdout else None

    def refused(self, *arguments: str, status: int = 1, stdin: str | bytes | None = None) -> str:
        """Run ``pchatctl``, which must refuse with one line on standard error; return the line."""
        result = self.run_ctl(*arguments, stdin=stdin)
        self.assertEqual((status, ""), (result.exit_code, result.stdout), result.output)
        self.assertEqual(1, result.stderr.count("\n"), result.stderr)
        line = result.stderr.rstrip("\n")
        as_json = self.run_ctl("--json", *arguments, stdin=stdin)
        self.assertEqual((status, ""), (as_json.exit_code, as_json.stdout))
        self.assertIn(json.loads(as_json.stderr)["error"], line)
        return line

    def add_user(self, name: str) -> dict[str, Any]:
        """Make an account."""
        shown: dict[str, Any] = self.ctl(
            "user", "add", f"{name}@example.com", "--password-stdin", stdin=PASSWORD
        )
        return shown
