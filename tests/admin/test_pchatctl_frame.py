"""What all commands of ``pchatctl`` have in common, and ``config``, ``status`` and ``init``."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

from click.testing import CliRunner

from pchat.admin.client import open_door
from pchat.admin.main import pchatctl
from pchat.admin.session import Session
from pchat.admin.status import duration
from pchat.config import load_config
from pchat.errors import OperatorError
from pchat.store.lock import StoreLock
from tests.admin.support import CommandCase


class ServerTests(CommandCase):
    """``pchatctl config``, ``status`` and what all commands have in common."""

    def test_config(self) -> None:
        """Settings are shown and changed, and stay so."""
        self.assertEqual(75, self.ctl("config", "show")["participant-update-limit"])
        self.assertEqual(
            5, self.ctl("config", "set", "participant-update-limit", "5")["participant-update-limit"]
        )
        line = self.run_ctl("config", "show").stdout.splitlines()[1]
        self.assertEqual(["participant-update-limit", "5", "75", "users", "in"], line.split()[:5])
        self.assertEqual("The setting room-management-url is empty.\n", self.set_page(""))
        self.assertEqual(
            "The setting room-management-url is https://rm.example.com.\n",
            self.set_page("https://rm.example.com"),
        )
        self.assertEqual(
            "The setting default-history is 7.\n",
            self.run_ctl("config", "set", "default_history", "7").stdout,
        )
        self.refused("config", "set", "default-history", "501")
        self.refused("config", "set", "colour", "red")
        self.refused("config", "set", "default-history", status=2)

    def set_page(self, page: str) -> str:
        """Set the address of room management; tell what is said to it."""
        return str(self.run_ctl("config", "set", "room-management-url", page).stdout)

    def test_settings_are_explained(self) -> None:
        """Each setting is shown with its default and its range, so that both can be found again."""
        self.ctl("config", "set", "default-history", "7")
        line = self.run_ctl("config", "show").stdout.splitlines()[2]
        self.assertRegex(line, r"^default-history +7 +30 +messages .*; 1 to 500$")

    def test_status(self) -> None:
        """Without a server its store is described."""
        found = self.ctl("status")
        self.assertEqual((False, "sqlite"), (found["running"], found["store"]["engine"]))
        self.assertIn("schema_version", found["store"])
        self.assertEqual(0, found["compliance"]["outbox_depth"])
        self.assertTrue(self.run_ctl("status").stdout.startswith("No server runs.\n"))

    def test_json_anywhere(self) -> None:
        """--json is understood before and after the command."""
        self.assertEqual("[]\n", self.run_ctl("user", "list", "--json").stdout)
        self.assertEqual("[]\n", self.run_ctl("user", "--json", "list").stdout)
        result = self.run_ctl("room", "show", "x", "--json")
        self.assertEqual((1, "no-such-node"), (result.exit_code, json.loads(result.stderr)["code"]))
        result = self.run_ctl("room", "list", "--bogus", "--json")
        self.assertEqual((2, "usage"), (result.exit_code, json.loads(result.stderr)["code"]))

    def test_config_file(self) -> None:
        """The configuration is named by --config, before or after the command, or by the environment."""
        runner = CliRunner()
        for arguments, environment in (
            (["--config", str(self.config), "user", "list"], {}),
            (["user", "list", "--config", str(self.config)], {}),
            (["user", "list"], {"PCHAT_CONFIG": str(self.config)}),
        ):
            self.assertEqual(0, runner.invoke(pchatctl, arguments, env=environment).exit_code)
        old = Path.cwd()
        self.addCleanup(os.chdir, old)
        os.chdir(self.home)
        self.assertEqual(0, runner.invoke(pchatctl, ["user", "list"], env={"PCHAT_CONFIG": None}).exit_code)
        os.chdir(self.home / "run")
        result = runner.invoke(pchatctl, ["user", "list"], env={"PCHAT_CONFIG": None})
        self.assertEqual(1, result.exit_code)
        self.assertIn("--config", result.stderr)

    def test_broken_config(self) -> None:
        """A broken configuration is told by the key in one line, by every command."""
        self.config.write_text("[server]\ncolour = 1\n")
        for command in (("user", "list"), ("status",), ("serve",)):
            self.assertIn("server.colour", self.refused(*command))

    def test_store_in_use(self) -> None:
        """A store that somebody else uses without answering is left alone."""
        lock = StoreLock(self.home / "data" / "pchat.sqlite")
        lock.take()
        self.addCleanup(lock.release)
        self.session = Session(open_door=lambda config, tell: open_door(config, patience=0))
        self.assertIn("nothing answers", self.refused("room", "list"))

    def test_waiting(self) -> None:
        """Whoever has to wait for the store is told at once, and once, for whom."""
        told: list[str] = []
        path = self.home / "data" / "pchat.sqlite"
        lock = StoreLock(path)
        lock.take()
        times = iter((0.0, 0.1, 0.2, 99.0))
        config = load_config(self.config)
        with self.assertRaises(OperatorError):
            open_door(config, pause=lambda _: None, now=times.__next__, tell=told.append)
        lock.release()
        self.assertEqual([f"waiting, at most 10 seconds: {path} is in use by process {os.getpid()}"], told)

    def test_without_tls_files(self) -> None:
        """Administration has no use for certificates; to serve without them is refused."""
        self.config.write_text("")
        self.assertEqual([], self.ctl("user", "list"))
        self.assertIn("sip.listeners[0].certificate", self.refused("serve"))

    def test_data_directory(self) -> None:
        """A data directory that is missing or not ours to write is told by its key."""
        (self.home / "data").rmdir()
        self.assertIn("server.data: ", self.refused("user", "list"))
        (self.home / "data").write_text("")
        self.assertIn("server.data: ", self.refused("user", "list"))

    def test_durations(self) -> None:
        """A time that the server runs is read at a glance."""
        for seconds, text in ((5, "0:00:05"), (86_400, "1 day 0:00:00"), (273_906, "3 days 4:05:06")):
            self.assertEqual(text, duration(seconds))

    def test_help(self) -> None:
        """Help tells the exit statuses and how to get completion; nothing typed is not understood."""
        result = self.run_ctl("--help")
        self.assertEqual(0, result.exit_code)
        self.assertIn("pchatctl completion bash", result.stdout)
        for command in (("room", "--help"), ("room", "member", "add", "--help"), ("user", "add", "-h")):
            self.assertEqual(0, self.run_ctl(*command).exit_code)
        self.assertEqual(2, self.run_ctl().exit_code)
        self.assertEqual(2, self.run_ctl("room").exit_code)
        self.refused("message", "remove", status=2)

    def test_completion(self) -> None:
        """The shell's completion is generated."""
        result = CliRunner().invoke(
            pchatctl, [], prog_name="pchatctl", env={"_PCHATCTL_COMPLETE": "bash_source"}
        )
        self.assertEqual(0, result.exit_code, result.output)
        self.assertIn("complete -o nosort -F _pchatctl_completion pchatctl", result.stdout)


class InitTests(CommandCase):
    """``pchatctl init``."""

    def test_demo(self) -> None:
        """A demo directory can be administered at once."""
        home = self.home / "demo"
        made = self.ctl("init", str(home), "--demo", "--domain", "example.org", "--sip-listen", "127.0.0.1:0")
        self.assertEqual(
            {"config": str(home / "pchat.toml"), "demo_accounts": str(home / "demo-accounts.json")}, made
        )
        accounts = json.loads((home / "demo-accounts.json").read_text())
        self.assertEqual({f"{name}@example.org" for name in ("alice", "bob", "carol")}, set(accounts))
        self.assertEqual(0o600, stat.S_IMODE((home / "demo-accounts.json").stat().st_mode))
        self.config = home / "pchat.toml"
        self.assertEqual(["Lobby", "Ops"], [room["name"] for room in self.ctl("room", "list")])

    def test_plain(self) -> None:
        """Without --demo nothing is in it, and chat is off."""
        home = self.home / "plain"
        result = self.run_ctl("init", str(home))
        self.assertEqual(0, result.exit_code, result.output)
        self.assertIn(f"pchatctl --config {home / 'pchat.toml'} serve", result.stdout)
        self.config = home / "pchat.toml"
        self.assertEqual([], self.ctl("user", "list"))
        self.assertEqual([False], [policy["enabled"] for policy in self.ctl("policy", "list")])

    def test_refused(self) -> None:
        """A directory that is not empty is left as it is."""
        before = sorted(self.home.rglob("*"))
        self.assertIn("not empty", self.refused("init", str(self.home)))
        self.assertEqual(before, sorted(self.home.rglob("*")))
        self.refused("init", status=2)
