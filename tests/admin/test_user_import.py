"""``pchatctl user import``: good lines are done, bad ones are told by their numbers."""

from __future__ import annotations

import json
from typing import Any

from pchat.admin import user_import
from pchat.admin.client import Door
from pchat.admin.offline import OfflineDoor
from pchat.admin.session import Session
from pchat.config import Config
from pchat.errors import OperatorError
from tests.admin.support import PASSWORD, CommandCase


class DyingDoor(OfflineDoor):
    """Administration that dies after one change."""

    def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> tuple[int, Any]:
        """Answer once."""
        if self._entered:
            raise OperatorError("the server gave no answer")
        return super().call(method, path, body)


class ImportTests(CommandCase):
    """``pchatctl user import``."""

    def bring(self, text: str | bytes) -> tuple[int, dict[str, Any]]:
        """Import a text; return the exit status and the answer."""
        result = self.run_ctl("--json", "user", "import", "-", stdin=text)
        self.assertEqual("", result.stderr)
        return result.exit_code, json.loads(result.stdout)

    def users(self) -> list[str]:
        """List the names of all accounts."""
        return [user["name"] for user in self.ctl("user", "list")]

    def test_csv(self) -> None:
        """Columns stand in any order; what is left empty is not given; blank lines are none."""
        lines = (
            "Display_Name,uri,password",
            f'"Doe, Jane",jane@example.com,{PASSWORD}',
            "",
            ",joe@example.com,",
        )
        text = "\r\n".join(lines)
        path = self.home / "users.csv"
        path.write_bytes(b"\xef\xbb\xbf" + text.encode())
        result = self.run_ctl("user", "import", str(path))
        self.assertEqual((0, ""), (result.exit_code, result.stderr), result.output)
        self.assertEqual("2 accounts made, 0 lines refused.\n", result.stdout)
        self.assertEqual("Doe, Jane", self.ctl("user", "show", "jane@example.com")["display_name"])
        told = {entry["object"]: entry["after"] for entry in self.ctl("audit", "list")}
        self.assertEqual("set", told["sip:jane@example.com"]["password"])
        self.assertNotIn("password", told["sip:joe@example.com"])

    def test_json(self) -> None:
        """A file that begins with an object has an object in each line."""
        lines = [{"uri": "a@example.com", "email": "a@b.example"}, {"uri": "b@example.com"}]
        self.assertEqual(
            (0, {"made": 2, "refused": []}), self.bring("\n".join(map(json.dumps, lines)) + "\n")
        )
        self.assertEqual("a@b.example", self.ctl("user", "show", "a@example.com")["email"])

    def test_refused_lines(self) -> None:
        """Lines that are refused are told with their numbers, by exit status 1; the others are done."""
        text = (
            "uri,company,password\n"
            'one@example.com,"two\nlines"\n'
            "two@example.com,C,\n"
            "two@example.com,C\n"
            "three@example.org,C\n"
            f"four@example.com,C,{PASSWORD},more\n"
            "five@example.com,C,pässword\n"
            'six@example.com,"C"x\n'
            "seven@example.com\n"
        )
        status, told = self.bring(text)
        self.assertEqual((1, 2), (status, told["made"]))
        self.assertEqual([2, 5, 6, 7, 8, 9], [entry["line"] for entry in told["refused"]])
        self.assertEqual(["two", "seven"], self.users())
        self.assertNotIn(PASSWORD, str(told))
        self.assertNotIn("pässword", str(told))
        result = self.run_ctl("user", "import", "-", stdin="uri\ntwo@example.com\n")
        self.assertEqual((1, "0 accounts made, 1 lines refused.\n"), (result.exit_code, result.stdout))
        self.assertEqual("pchatctl: line 2: there is already a user sip:two@example.com\n", result.stderr)

    def test_refused_objects(self) -> None:
        """What is no object, or has other members, is refused as a line."""
        status, told = self.bring('{"uri": "a@example.com", "colour": "red"}\n[]\n{"uri": 1}\n{}\nx\n')
        self.assertEqual((1, 0), (status, told["made"]))
        self.assertEqual([1, 2, 3, 4, 5], [entry["line"] for entry in told["refused"]])

    def test_refused_files(self) -> None:
        """A file that is none of both, too large or missing is refused whole."""
        for text in ("", "name\nx\n", "uri,uri\n", "uri,colour\n", "[]\n"):
            self.assertIn("the first line must name columns", self.refused("user", "import", "-", stdin=text))
        self.assertIn("not UTF-8", self.refused("user", "import", "-", stdin=b"uri\n\xff\n"))
        self.patch(user_import, "FILE_BYTES", 3)
        self.assertIn("import it in parts", self.refused("user", "import", "-", stdin="uri\n"))
        self.refused("user", "import", str(self.home / "none"), status=2)

    def test_broken(self) -> None:
        """When the way breaks it is told how far it came."""

        def door(config: Config, **_: Any) -> Door:
            return DyingDoor(config)

        self.session = Session(open_door=door)
        result = self.run_ctl("user", "import", "-", stdin="uri\na@example.com\nb@example.com\n")
        self.assertEqual(1, result.exit_code)
        self.assertIn("given up: 1 of 2 accounts made before", result.stderr)
        self.session = None
        self.assertEqual(["a"], self.users())
