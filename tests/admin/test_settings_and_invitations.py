"""``pchatctl config reset`` and ``pchatctl user invitations``."""

from __future__ import annotations

from tests.admin.support import CommandCase


class PersonCase(CommandCase):
    """Commands as a person gives them."""

    def shown(self, *arguments: str) -> str:
        """Run a command without --json and return what it prints."""
        result = self.run_ctl(*arguments)
        self.assertEqual(0, result.exit_code, result.output)
        return result.stdout


class ResetTests(PersonCase):
    """A setting gets its default again."""

    def test_reset(self) -> None:
        """The default is in force at once, and there after a restart; other settings stay."""
        self.shown("config", "set", "search-limit", "7")
        self.shown("config", "set", "default-history", "5")
        found = self.ctl("config", "reset", "Search_Limit")
        self.assertEqual((999, 5), (found["search-limit"], found["default-history"]))
        self.assertEqual(found, self.ctl("config", "show"))
        self.assertIn(
            "The setting default-history is 30 again.", self.shown("config", "reset", "default-history")
        )

    def test_no_such_setting(self) -> None:
        """A name that is none is refused with those that there are."""
        self.assertIn("search-limit", self.refused("config", "reset", "nonsense"))


class InvitationTests(PersonCase):
    """An administrator looks up where somebody was invited."""

    def test_invitations(self) -> None:
        """Rooms whose category has invitations are listed with number and time, also in pieces."""
        self.shown("category", "add", "Inviting", "--allow", "example.com", "--invitations")
        self.add_user("alice")
        self.assertEqual([], self.ctl("user", "invitations", "alice@example.com"))
        self.assertIn("no invitations", self.shown("user", "invitations", "alice@example.com"))
        self.shown("policy", "set", "--global", "--enabled", "yes")
        for room in ("Blue", "Green"):
            self.shown("room", "add", room, "--category", "Inviting")
            self.shown("room", "member", "add", room, "alice@example.com")
        found = self.ctl("user", "invitations", "alice@example.com")
        self.assertEqual([(2, "Blue"), (3, "Green")], [(one["invite_id"], one["room"]) for one in found])
        self.assertIn("Green", self.shown("user", "invitations", "alice@example.com"))
        self.shown("room", "member", "remove", "Blue", "alice@example.com")
        self.assertEqual(
            ["Green"], [one["room"] for one in self.ctl("user", "invitations", "alice@example.com")]
        )

    def test_nobody(self) -> None:
        """A user that does not exist is refused by name."""
        self.assertIn("nobody", self.refused("user", "invitations", "nobody@example.com"))
