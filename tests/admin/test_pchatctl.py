"""``pchatctl`` as an operator types it, on the store of a server that does not run."""

from __future__ import annotations

from typing import Any

from pchat.admin.session import Session
from tests.admin.support import PASSWORD, CommandCase

ALICE = {"uri": "sip:alice@example.com", "kind": "user"}
BOB = {"uri": "sip:bob@example.com", "kind": "user"}


DOMAIN = {"uri": "example.com", "kind": "domain"}


class UserTests(CommandCase):
    """``pchatctl user``."""

    def test_life(self) -> None:
        """An account is made, listed, shown, disabled, enabled and removed."""
        made = self.ctl(
            "user",
            "add",
            "alice@example.com",
            "--display-name",
            "Alice Ä",
            "--password-stdin",
            stdin=PASSWORD,
        )
        self.assertEqual(
            ("sip:alice@example.com", "Alice Ä", "active"), (made["uri"], made["display_name"], made["state"])
        )
        self.assertTrue(made["created_by"].startswith("local:"))
        self.assertEqual(made, self.ctl("user", "show", "SIP:ALICE@example.com"))
        self.assertEqual([made["uri"]], [user["uri"] for user in self.ctl("user", "list")])
        self.assertEqual("disabled", self.ctl("user", "disable", "alice@example.com")["state"])
        self.refused("user", "disable", "alice@example.com")
        self.assertEqual("active", self.ctl("user", "enable", "alice@example.com")["state"])
        self.assertIsNone(
            self.ctl("user", "password", "alice@example.com", "--password-stdin", stdin="other\n")
        )
        self.assertEqual({"removed": []}, self.ctl("user", "remove", "alice@example.com"))
        self.assertEqual([], self.ctl("user", "list"))
        self.refused("user", "remove", "alice@example.com")

    def test_tables(self) -> None:
        """Persons read tables and sentences."""
        self.assertEqual("There are no accounts.\n", self.run_ctl("user", "list").stdout)
        self.add_user("alice")
        self.assertEqual(
            [
                "URI                    Display name  State   Chat",
                "sip:alice@example.com  -             active  no",
            ],
            self.run_ctl("user", "list").stdout.splitlines(),
        )
        self.assertEqual(
            "The user sip:alice@example.com is disabled.\n",
            self.run_ctl("user", "disable", "alice@example.com").stdout,
        )
        self.assertEqual(
            "The user alice@example.com is removed.\n",
            self.run_ctl("user", "remove", "alice@example.com").stdout,
        )

    def test_show(self) -> None:
        """Whether he may chat is told as such, not as a second state; times to the second."""
        self.add_user("alice")
        shown = self.run_ctl("user", "show", "alice@example.com").stdout
        self.assertRegex(shown, r"(?m)^chat +no$")
        self.assertNotIn("enabled", shown)
        self.assertRegex(shown, r"(?m)^created on +\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")

    def test_foreign(self) -> None:
        """An account of another domain is refused: nobody could sign in to it here."""
        line = self.refused("user", "add", "alice@example.org", "--password-stdin", stdin=PASSWORD)
        self.assertIn("example.org is not the domain of this server: accounts are NAME@example.com", line)
        self.ctl("user", "add", "SIP:alice@EXAMPLE.com", "--password-stdin", stdin=PASSWORD)

    def test_no_terminal(self) -> None:
        """Where nobody can be asked for the password the way out is told, and no account is made."""
        self.assertIn("--password-stdin", self.refused("user", "add", "alice@example.com", stdin=PASSWORD))
        self.assertEqual([], self.ctl("user", "list"))

    def test_prompt(self) -> None:
        """On a terminal the password is asked for twice, again if the two differ, and never shown."""
        self.session = Session(is_terminal=lambda: True)
        typed = f"{PASSWORD}\nmistyped\n{PASSWORD}\n{PASSWORD}\n"
        result = self.run_ctl("user", "add", "alice@example.com", stdin=typed)
        self.assertEqual(0, result.exit_code, result.output)
        self.assertEqual(4, result.output.count("assword:") + result.output.count("confirmation:"))
        self.assertNotIn(PASSWORD, result.output)
        result = self.run_ctl("user", "password", "alice@example.com", stdin=f"{PASSWORD}\n")
        self.assertEqual(1, result.exit_code)
        self.assertIn("pchatctl: given up", result.stderr)

    def test_bad_passwords(self) -> None:
        """A password that a client would cut, or none, is refused without being repeated."""
        for secret in ("", "\n", "pässword", "a\tb\nc", b"\xff\xfe", "x" * 5_000):
            line = self.refused("user", "add", "alice@example.com", "--password-stdin", stdin=secret)
            self.assertNotIn("ssword'", line)
        self.assertEqual([], self.ctl("user", "list"))


class PolicyTests(CommandCase):
    """``pchatctl policy``."""

    def test_set(self) -> None:
        """Chat is off until it is switched on for all or for one."""
        self.add_user("alice")
        self.assertFalse(self.ctl("user", "show", "alice@example.com")["enabled"])
        shown = self.ctl("policy", "set", "--global", "--enabled", "yes")
        self.assertEqual({"scope": "global", "uri": None, "enabled": True, "description": ""}, shown)
        self.assertTrue(self.ctl("user", "show", "alice@example.com")["enabled"])
        shown = self.ctl(
            "policy", "set", "--user", "alice@example.com", "--enabled", "no", "--description", "x"
        )
        self.assertEqual(("user", ALICE["uri"], False, "x"), tuple(shown.values()))
        self.assertFalse(self.ctl("user", "show", "alice@example.com")["enabled"])
        self.assertEqual(2, len(self.ctl("policy", "list")))
        self.assertEqual(
            "The global policy is changed: chat is off.\n",
            self.run_ctl("policy", "set", "--global", "--enabled", "no").stdout,
        )
        self.assertEqual(
            "The policy of the user sip:alice@example.com is changed: chat is on.\n",
            self.run_ctl("policy", "set", "--user", "alice@example.com", "--enabled", "yes").stdout,
        )

    def test_usage(self) -> None:
        """For whom it is, and what, must be said; both at once is not understood."""
        self.refused("policy", "set", "--enabled", "yes", status=2)
        self.assertIn(
            "either --global or --user, not both",
            self.refused(
                "policy", "set", "--global", "--user", "a@example.com", "--enabled", "yes", status=2
            ),
        )
        self.refused("policy", "set", "--global", status=2)
        self.refused("policy", "set", "--global", "--enabled", "perhaps", status=2)
        self.refused("policy", "set", "--user", "nobody@example.com", "--enabled", "yes")


class CategoryTests(CommandCase):
    """``pchatctl category``."""

    def test_life(self) -> None:
        """A category is made with its lists; set replaces a whole list, an empty value empties it."""
        self.add_user("alice")
        self.add_user("bob")
        made = self.ctl(
            *("category", "add", "Work", "--description", "All of us", "--allow", "example.com"),
            *("--deny", "alice@example.com", "--deny", "bob@example.com", "--file-upload", "--no-history"),
        )
        self.assertEqual(([DOMAIN], [ALICE, BOB], []), self.lists(made))
        self.assertEqual(
            (True, False, False), (made["file_upload"], made["chat_history"], made["invitations"])
        )
        self.assertEqual([], made.pop("new_domains"))
        self.assertEqual(made, self.ctl("category", "show", "WORK"))
        self.assertEqual([made], self.ctl("category", "list"))
        changed = self.ctl(
            "category", "set", "Work", "--deny", "bob@example.com", "--creator", "alice@example.com"
        )
        self.assertEqual(([DOMAIN], [BOB], [ALICE]), self.lists(changed))
        changed = self.ctl(
            "category", "set", "Work", "--deny", "", "--name", "Play", "--history", "--invitations"
        )
        self.assertEqual(([DOMAIN], [], [ALICE]), self.lists(changed))
        self.assertEqual(
            ("Play", "All of us", True, True, True),
            tuple(
                changed[key] for key in ("name", "description", "chat_history", "invitations", "file_upload")
            ),
        )
        self.assertIsNone(self.ctl("category", "remove", "Play"))
        self.assertEqual("There are no categories.\n", self.run_ctl("category", "list").stdout)

    def lists(self, category: dict[str, Any]) -> tuple[Any, Any, Any]:
        """Take the lists of a category."""
        return category["allowed_members"], category["denied_members"], category["creators"]

    def test_refused(self) -> None:
        """What the rules refuse is told in their words; a set that sets nothing is not understood."""
        self.ctl("category", "add", "Work")
        self.assertIn("'work'", self.refused("category", "add", "work"))
        self.refused("category", "add", "Other", "--allow", "nobody@example.com")
        self.refused("category", "show", "Other")
        self.refused("category", "set", "Work", status=2)
        self.refused("category", "add", status=2)
        self.refused("category", "set", "Work", "--colour", "red", status=2)
