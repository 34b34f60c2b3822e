"""What ``pchatctl`` tells persons: the thing that is wrong by its own name, and no more than can be read."""

from __future__ import annotations

import subprocess
import sys
from typing import NoReturn

from twisted.trial.unittest import SynchronousTestCase

from pchat.admin import probe
from pchat.admin.audit import ENTRIES_SHOWN, LONGEST_SHOWN
from pchat.admin.roles import LONGEST_SHOWN as LONGEST_LIST
from pchat.client.endpoint import PasswordMissing
from tests.admin.support import PASSWORD, CommandCase


class RefusalTests(CommandCase):
    """Refusals name what is wrong."""

    def test_names_of_users(self) -> None:
        """Each text about a user has its own name, when he is made and when he is changed."""
        self.add_user("alice")
        for option, called in (
            ("--display-name", "the display name"),
            ("--company", "the company"),
            ("--email", "the mail address"),
        ):
            for text, wrong in (("x" * 257, "has 257 characters; at most 256"), ("a\tb", "U+0009")):
                new = ("user", "add", "bob@example.com", "--password-stdin", option, text)
                told = f"pchatctl: {called} "
                self.assertIn(told, line := self.refused(*new, stdin=PASSWORD))
                self.assertIn(wrong, line)
                self.assertIn(told, self.refused("user", "set", "alice@example.com", option, text))

    def test_long_address(self) -> None:
        """An address that is too long is called so, and is not printed."""
        long = "x" * 257 + "@example.com"
        line = self.refused("user", "add", long, "--password-stdin", stdin=PASSWORD)
        self.assertEqual("pchatctl: the address has 269 characters; at most 256 are allowed", line)

    def test_addins(self) -> None:
        """The limit that is told is that of add-ins; an address is needed; one room is one room."""
        address = "https://wiki.example.com"
        self.assertIn("257 characters; at most 50", self.refused("addin", "add", "x" * 257, address))
        for wrong in ("", "ftp://x"):
            self.assertTrue(
                self.refused("addin", "add", "Wiki", wrong).endswith("address, at most 255 characters")
            )
        self.ctl("addin", "add", "Wiki", address)
        self.ctl("category", "add", "Work")
        self.ctl("room", "add", "Ops", "--category", "Work", "--addin", "Wiki")
        self.assertIn("the room 'Ops' has the add-in 'Wiki'", self.refused("addin", "remove", "Wiki"))
        self.ctl("room", "add", "Den", "--category", "Work", "--addin", "Wiki")
        self.assertIn("2 rooms, such as 'Ops', have", self.refused("addin", "remove", "Wiki"))

    def test_mail_address(self) -> None:
        """What is plainly no mail address is refused; an empty one takes it away."""
        self.add_user("alice")
        for wrong in ("nonsense", "a@b@c", "a b@example.com", "@example.com", "alice@"):
            line = self.refused("user", "set", "alice@example.com", "--email", wrong)
            self.assertEqual(f"pchatctl: the mail address must be NAME@DOMAIN, not {wrong!r}", line)
        for good in ("a.b+c@example.com", "älice@exämple.com", ""):
            self.assertEqual(good, self.ctl("user", "set", "alice@example.com", "--email", good)["email"])

    def test_removed_user(self) -> None:
        """What an account was taken from is told by names on standard error, and is in the answer."""
        self.ctl("category", "add", "Work", "--allow", "example.com", "--creator", "")
        self.ctl("room", "add", "Den", "--category", "Work")
        for name in ("alice", "bob"):
            self.add_user(name)
            self.ctl("room", "member", "add", "Den", f"{name}@example.com")
            self.ctl("room", "manager", "add", "Den", f"{name}@example.com")
        self.ctl("group", "add", "Staff", "--member", "alice@example.com")
        result = self.run_ctl("user", "remove", "alice@example.com")
        self.assertEqual("The user alice@example.com is removed.\n", result.stdout)
        alice = "sip:alice@example.com"
        self.assertEqual(
            "pchatctl: 3 role entries of the user were taken away:"
            f" manager {alice} of Den; member {alice} of Den; member {alice} of Staff\n",
            result.stderr,
        )
        removed = self.ctl("user", "remove", "bob@example.com")["removed"]
        self.assertEqual(
            [("manager", "Den", "sip:bob@example.com"), ("member", "Den", "sip:bob@example.com")],
            [(entry["role"], entry["place"], entry["uri"]) for entry in removed],
        )

    def test_no_file(self) -> None:
        """An empty name of a file is called that, not by what it would stand for."""
        for command in ("backup", "restore"):
            self.assertIn("a file name is missing", self.refused(command, "", status=2))

    def test_numbers(self) -> None:
        """What is no number is told so in plain words; a negative one is not taken for an unknown option."""
        line = self.refused("room", "list", "--limit", "x", status=2)
        self.assertIn("'x' is not a valid whole number.", line)
        line = self.refused("config", "set", "ace-limit", "-1", status=2)
        self.assertIn("No such option '-1'. If a number is meant, put -- before it: -- -1.", line)
        line = self.refused("config", "set", "ace-limit", "--", "-1")
        self.assertIn("must be a whole number", line)
        self.assertNotIn("number is meant", self.refused("config", "set", "-x", status=2))

    def test_not_utf8(self) -> None:
        """An argument that is no text is shown with what is wrong with it, wherever it stands."""
        self.ctl("category", "add", "Work")
        for command in (
            ("room", "show", "a\udcff"),
            ("room", "list", "--filter", "a\udcff"),
            ("message", "search", "a\udcff"),
            ("eligible", "--category", "a\udcff"),
        ):
            self.assertEqual(r"pchatctl: 'a\udcff' is not UTF-8", self.refused(*command))

    def test_expiry(self) -> None:
        """A token's end that is neither days nor a date is wrong usage, named as it was typed."""
        line = self.refused("token", "add", "ci", "--scope", "read", "--expires", "soon", status=2)
        self.assertIn("'soon' is neither a number of days nor a date such as 2030-12-31", line)

    def test_synthetic_message(self) -> None:
        """Addresses are checked before anything is sent; a missing password tells where it is looked for."""
        people = ("test-message", "--to", "bob@example.com", "--from")
        self.assertIn("'alice' is no user address", self.refused(*people, "alice"))

        def exchange(*_: object) -> NoReturn:
            raise PasswordMissing("alice@example.com: none is given")

        self.patch(probe, "_place", lambda *_: None)
        self.patch(probe, "exchange", exchange)
        line = self.refused(*people, "alice@example.com")
        self.assertEqual(
            "pchatctl: alice@example.com: none is given; name a file that has it with --credentials", line
        )


class OutputTests(SynchronousTestCase):
    """Standard output that takes nothing."""

    def run_with(self, output: str) -> tuple[int, str]:
        """Run the program with its output led somewhere by the shell; tell its status and its errors."""
        command = f"{sys.executable} -c 'from pchat.admin.main import main; main()' --help {output}"
        done = subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True, check=False)
        return done.returncode, done.stderr

    def test_full_disk(self) -> None:
        """What cannot be written is told in one line."""
        self.assertEqual((1, "pchatctl: given up: No space left on device\n"), self.run_with(">/dev/full"))

    def test_closed(self) -> None:
        """Who closes the output wants none."""
        self.assertEqual((0, ""), self.run_with(">&-"))


class LengthTests(CommandCase):
    """Much of something is told in few words; ``--json`` has all of it."""

    def setUp(self) -> None:
        super().setUp()
        self.ctl("category", "add", "Work", "--allow", "example.com")
        self.ctl("room", "add", "Ops", "--category", "Work")

    def test_role_lists(self) -> None:
        """A change of a short list shows it, with times to the second; of a long one how long it is."""
        names = [f"user{number:02}@example.com" for number in range(LONGEST_LIST + 1)]
        for name in names:
            self.add_user(name.partition("@")[0])
        shown = self.run_ctl("room", "member", "add", "Ops", *names[1:]).stdout.splitlines()
        self.assertEqual(LONGEST_LIST + 1, len(shown))
        self.assertRegex(shown[1], r" \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
        self.assertEqual(
            f"The room Ops has {LONGEST_LIST + 1} members now.\n",
            self.run_ctl("room", "member", "add", "Ops", names[0]).stdout,
        )
        self.assertEqual(LONGEST_LIST, len(self.ctl("room", "member", "remove", "Ops", names[0])))

    def test_order(self) -> None:
        """Persons find things by their names; programs get them in the order in which they were made."""
        names = ["zulu", "Ämter", "alpha", "Mike"]
        for name in names:
            self.ctl("category", "add", f"{name} 1")
            self.ctl("room", "add", name, "--category", "Work")
            self.ctl("group", "add", name)
            self.ctl("addin", "add", name, "https://example.com")
        for noun, ending in (("room", ""), ("group", ""), ("addin", ""), ("category", " 1")):
            lines = self.run_ctl(noun, "list").stdout.splitlines()[1:]
            made = [name + ending for name in names]
            shown = [line.partition("  ")[0] for line in lines]
            in_order = [name for name in shown if name in made]
            self.assertEqual([f"{name}{ending}" for name in ("alpha", "Mike", "zulu", "Ämter")], in_order)
            self.assertEqual(made, [one["name"] for one in self.ctl(noun, "list") if one["name"] in made])

    def test_audit(self) -> None:
        """Neither a long list nor a long text makes the log's table wide; what is empty is seen."""
        groups = [f"Group {number}" for number in range(ENTRIES_SHOWN + 2)]
        for name in groups:
            self.ctl("group", "add", name)
        self.ctl("room", "member", "add", "Ops", *groups)
        self.ctl("room", "set", "Ops", "--description", "long " * 50)
        self.ctl("room", "set", "Ops", "--description", "")
        last, before, members = self.run_ctl("audit", "list", "--limit", "3").stdout.splitlines()[1:]
        self.assertTrue(last.endswith("description ''"), last)
        self.assertIn(f"{('long ' * 50)[:LONGEST_SHOWN]}…", before)
        self.assertTrue(members.endswith("; and 2 more"), members)
        self.add_user("alice")
        for name in ("alice@example.com", "sip:alice@example.com"):
            (entry,) = self.ctl("audit", "list", "--object", name)
            self.assertEqual(("add", "user"), (entry["action"], entry["kind"]))
        entry = self.ctl("audit", "list", "--kind", "role")[0]
        self.assertEqual(ENTRIES_SHOWN + 2, len(entry["after"]["member"]))
