"""``pchatctl token`` and ``pchatctl audit``, on a store that no server uses."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

from pchat.rooms.token_administration import SCOPES
from pchat.store.audit import KINDS
from tests.admin.support import CommandCase


def days_from_now(iso: str) -> float:
    """Tell how far away a time is."""
    return (datetime.fromisoformat(iso[:19] + "Z") - datetime.now(UTC)) / timedelta(days=1)


class TokenTests(CommandCase):
    """Tokens are made, listed and revoked."""

    def test_add(self) -> None:
        """The token is printed once; by default it is good for a year."""
        made = self.ctl("token", "add", "ci", "--scope", "rooms", "--scope", "read")
        self.assertRegex(made["token"], r"^pchat_[A-Za-z0-9_-]{43}$")
        self.assertEqual(["read", "rooms"], made["scopes"])
        self.assertLess(abs(days_from_now(made["expires_on"]) - 365), 0.1)
        (listed,) = self.ctl("token", "list")
        self.assertNotIn("token", listed)
        every = self.ctl("token", "add", "root", "--scope", "all", "--expires", "7")
        self.assertEqual(list(SCOPES), every["scopes"])
        self.assertLess(abs(days_from_now(every["expires_on"]) - 7), 0.1)
        dated = self.ctl(
            "token", "add", "dated", "--scope", "read", "--expires", f"{datetime.now(UTC).year + 1}-12-31"
        )
        self.assertIn("-12-31T00:00:00", dated["expires_on"])

    def test_person(self) -> None:
        """A person is told what to do with it, and sees it whole however narrow the terminal is."""
        result = self.run_ctl("token", "add", "ci", "--scope", "read")
        self.assertEqual(0, result.exit_code, result.output)
        self.assertRegex(result.stdout, r"(?m)^token +pchat_[A-Za-z0-9_-]{43}$")
        self.assertIn("nobody can show it again", result.stderr)
        table = self.run_ctl("token", "list").stdout
        self.assertRegex(table, r"(?m)^ci +read +active +[0-9]{4}-[0-9]{2}-[0-9]{2} +local:")
        self.assertNotIn("pchat_", table)

    def test_revoke(self) -> None:
        """A revoked token is listed as such; one that is not there, or revoked already, is refused."""
        self.ctl("token", "add", "ci", "--scope", "read")
        self.assertIn("revoked", self.run_ctl("token", "revoke", "ci").stdout)
        self.assertEqual(["revoked"], [token["state"] for token in self.ctl("token", "list")])
        self.refused("token", "revoke", "ci")
        self.refused("token", "revoke", "none")

    def test_refused(self) -> None:
        """Wrong usage is told as such."""
        self.refused("token", "add", "ci", status=2)
        self.refused("token", "add", "ci", "--scope", "write", status=2)
        self.refused("token", "add", "ci", "--scope", "read", "--expires", "0", status=2)
        self.refused("token", "add", "ci", "--scope", "read", "--expires", "3651", status=2)
        self.refused("token", "add", "ci", "--scope", "read", "--expires", "soon", status=2)
        self.refused("token", "add", "c i", "--scope", "read")
        self.assertIn("There are no tokens.", self.run_ctl("token", "list").stdout)


class AuditTests(CommandCase):
    """The log is listed, and narrowed."""

    def setUp(self) -> None:
        super().setUp()
        self.ctl("category", "add", "Work")
        self.ctl("room", "add", "Ops", "--category", "Work", "--description", "[bold]d")
        self.ctl("token", "add", "ci", "--scope", "read")

    def test_list(self) -> None:
        """The newest change is first; programs get whole entries."""
        entries = self.ctl("audit", "list")
        self.assertEqual(["token", "room", "category"], [entry["kind"] for entry in entries])
        self.assertEqual({"time", "actor", "action", "kind", "object", "before", "after"}, set(entries[0]))
        self.assertNotIn("pchat_", json.dumps(entries))
        today = f"{datetime.now(UTC):%Y-%m-%d}"
        for options, count in (
            (("--kind", "room"), 1),
            (("--action", "add"), 3),
            (("--object", "ci"), 1),
            (("--actor", "local:nobody"), 0),
            (("--limit", "2"), 2),
            (("--from", "2000-01-01", "--to", today), 3),
            (("--to", "2000-01-01"), 0),
        ):
            self.assertEqual(count, len(self.ctl("audit", "list", *options)), options)

    def test_person(self) -> None:
        """A person reads a table; what names hold is not interpreted."""
        table = self.run_ctl("audit", "list").stdout
        self.assertRegex(table, r"(?m)^[0-9-]{10}T[0-9:]{8}Z +local:\S+ +add token +ci +- +")
        self.assertIn("description [bold]d", table)
        self.assertIn("There are no such changes.", self.run_ctl("audit", "list", "--kind", "store").stdout)

    def test_refused(self) -> None:
        """Times that are none, and limits out of range, are refused."""
        self.refused("audit", "list", "--from", "yesterday")
        self.refused("audit", "list", "--limit", "0", status=2)

    def test_mistakes(self) -> None:
        """A kind that there is not is answered by those there are; an end before its beginning is refused."""
        line = self.refused("audit", "list", "--kind", "nope", status=2)
        for kind in KINDS:
            self.assertIn(f"'{kind}'", line)
        line = self.refused("audit", "list", "--from", "2030-01-02", "--to", "2030-01-01")
        self.assertEqual("pchatctl: from is after to", line)
        self.assertEqual([], self.ctl("audit", "list", "--from", "2030-01-01", "--to", "2030-01-01"))

    def test_names(self) -> None:
        """What is there is found by its name too; what is gone by its URI only."""
        uri = self.ctl("category", "add", "Play")["uri"]
        room = self.ctl("room", "add", "Den", "--category", "Play")["uri"]
        group = self.ctl("group", "add", "Staff")["uri"]
        for name, known in (("play", uri), ("DEN", room), ("Staff", group), (room, room)):
            [entry] = self.ctl("audit", "list", "--object", name)
            self.assertEqual(known, entry["object"])
        self.ctl("room", "remove", "Den")
        self.assertEqual([], self.ctl("audit", "list", "--object", "Den"))
        self.assertEqual(2, len(self.ctl("audit", "list", "--object", room)))
