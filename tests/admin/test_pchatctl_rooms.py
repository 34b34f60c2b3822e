"""``pchatctl room`` and ``addin`` as an operator types them, on the store of a server that does not run."""

from __future__ import annotations

import json
import sys
from typing import Any

from rich.console import Console

from pchat.admin.rooms import ENTRIES_SHOWN, _print_rooms
from pchat.admin.session import REMOVED_SHOWN, Session
from tests.admin.support import CommandCase, Terminal

ALICE = {"uri": "sip:alice@example.com", "kind": "user"}
BOB = {"uri": "sip:bob@example.com", "kind": "user"}


DOMAIN = {"uri": "example.com", "kind": "domain"}


def plain(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Leave out of a role list who granted each entry, and when."""
    return [{key: entry[key] for key in ("uri", "kind")} for entry in entries]


class RoomTests(CommandCase):
    """``pchatctl room``."""

    def setUp(self) -> None:
        super().setUp()
        self.ctl("category", "add", "Work", "--allow", "example.com")

    def test_life(self) -> None:
        """A room is made, shown, changed, moved, disabled, enabled and removed."""
        made = self.ctl(
            "room", "add", "Council", "--category", "Work", "--privacy", "SECRET", "--type", "auditorium"
        )
        self.assertEqual(
            ("Council", "Work", "secret", "auditorium", "inherit"),
            tuple(made[key] for key in ("name", "category", "privacy", "type", "invitations")),
        )
        self.assertRegex(made["uri"], r"^ma-chan://example\.com/[0-9a-f-]{36}$")
        for name in ("council", made["uri"]):
            self.assertEqual(made, self.ctl("room", "show", name))
        changed = self.ctl(
            "room", "set", "Council", "--name", "Senate", "--privacy", "open", "--invitations", "false"
        )
        self.assertEqual(
            ("Senate", "open", "auditorium", "false"),
            tuple(changed[key] for key in ("name", "privacy", "type", "invitations")),
        )
        self.ctl("category", "add", "Other", "--allow", "example.com")
        self.assertEqual("Other", self.ctl("room", "move", "Senate", "--category", "Other")["category"])
        self.assertTrue(self.ctl("room", "disable", "Senate")["disabled"])
        self.assertEqual("The room Senate is enabled.\n", self.run_ctl("room", "enable", "senate").stdout)
        self.assertIsNone(self.ctl("room", "remove", "Senate"))
        self.assertEqual([], self.ctl("room", "list"))

    def test_show(self) -> None:
        """A person sees who granted each role and when; of a long list the beginning, and how to see all."""
        names = [f"user{number:02}" for number in range(ENTRIES_SHOWN + 2)]
        for name in names:
            self.ctl("user", "import", "-", stdin=json.dumps({"uri": f"{name}@example.com"}))
        self.ctl("room", "add", "The den", "--category", "Work")
        self.ctl("room", "manager", "add", "The den", "user00@example.com")
        self.ctl("room", "member", "add", "The den", *(f"{name}@example.com" for name in names))
        shown = self.run_ctl("room", "show", "The den").stdout
        self.assertRegex(shown, r"(?m)^Managers +Kind +Granted by +Granted on$")
        self.assertRegex(shown, r"(?m)^sip:user00@example\.com +user +local:\S+ +[0-9-]{10}T[0-9:]{8}Z$")
        self.assertIn("sip:user09@example.com", shown)
        self.assertNotIn("sip:user10@example.com", shown)
        self.assertIn("\nand 2 more: pchatctl room member list 'The den'\n", shown)
        self.assertRegex(shown, r"(?m)^presenters +-$")
        self.assertNotRegex(shown, r"(?m)^m(anag|emb)ers ")

    def test_new_domains(self) -> None:
        """A domain that nobody named before is remarked upon, once; the server's own is not."""
        self.assertEqual([], self.ctl("category", "set", "Work", "--allow", "example.com")["new_domains"])
        for command in (("add", "Guests"), ("set", "Work")):
            domain = f"{command[0]}.examle.com"
            result = self.run_ctl("category", *command, "--allow", "example.com", "--allow", domain)
            self.assertEqual(
                f"pchatctl: {domain} is new here: everybody in that domain; was it meant?\n", result.stderr
            )
            self.assertNotIn("new domains", result.stdout)
            self.assertEqual([], self.ctl("category", "set", "Work", "--deny", domain)["new_domains"])
        found = self.ctl("category", "add", "More", "--allow", "c.example", "--deny", "b.example")
        self.assertEqual(["b.example", "c.example"], found["new_domains"])

    def test_defaults(self) -> None:
        """A room is closed and normal unless told otherwise, and has nobody in it."""
        made = self.ctl("room", "add", "R", "--category", "Work")
        self.assertEqual(("closed", "normal"), (made["privacy"], made["type"]))
        self.assertEqual(([], [], []), (made["members"], made["managers"], made["presenters"]))

    def test_no_rooms(self) -> None:
        """That there are none is another thing than that none was found."""
        self.assertEqual("There are no rooms.\n", self.run_ctl("room", "list").stdout)
        self.assertEqual("There are no such rooms.\n", self.run_ctl("room", "list", "--enabled").stdout)

    def test_sentences(self) -> None:
        """What is done is told in one line."""
        self.ctl("room", "add", "Lobby", "--category", "Work")
        self.ctl("category", "add", "Other", "--allow", "example.com")
        for command, line in (
            (("room", "set", "lobby", "--privacy", "open"), "The room Lobby is changed."),
            (("room", "move", "lobby", "--category", "other"), "The room Lobby is moved to Other."),
            (("category", "set", "other", "--name", "New"), "The category New is changed."),
            (("room", "disable", "Lobby"), "The room Lobby is disabled."),
            (("room", "remove", "Lobby"), "The room Lobby is removed."),
            (("category", "remove", "New"), "The category New is removed."),
        ):
            result = self.run_ctl(*command)
            self.assertEqual((line + "\n", ""), (result.stdout, result.stderr))

    def test_asked(self) -> None:
        """On a terminal a removal is asked for, unless --yes is given; whoever hesitates keeps all."""
        self.ctl("room", "add", "Lobby", "--category", "Work")
        self.ctl("category", "add", "Empty")
        self.add_user("alice")
        self.session = Session(is_terminal=lambda: True)
        for noun, name, listing in (
            ("room", "Lobby", "room"),
            ("category", "Empty", "category"),
            ("user", "alice@example.com", "user"),
        ):
            before = len(self.ctl(listing, "list"))
            for answer in ("n\n", "\n", ""):
                result = self.run_ctl(noun, "remove", name, stdin=answer)
                self.assertEqual((1, ""), (result.exit_code, result.stdout), result.output)
                self.assertIn(f"Remove the {noun} {name}", result.stderr)
            self.assertEqual(before, len(self.ctl(listing, "list")))
            self.session.as_json = False
            self.assertEqual(0, self.run_ctl(noun, "remove", name, stdin="y\n").exit_code)
            self.assertEqual(before - 1, len(self.ctl(listing, "list")))
            self.session.as_json = False
        self.session = None
        self.ctl("room", "add", "Lobby", "--category", "Work")
        self.session = Session(is_terminal=lambda: True)
        self.assertEqual(0, self.run_ctl("room", "remove", "Lobby", "--yes", stdin="").exit_code)

    def test_taken_away(self) -> None:
        """What a narrower scope takes away is told: to persons beside the answer, to programs in it."""
        self.add_user("alice")
        self.add_user("bob")
        people = ("alice@example.com", "bob@example.com")
        self.ctl("category", "set", "Work", "--creator", people[1])
        made = self.ctl("room", "add", "Hall", "--category", "Work")
        self.ctl("room", "member", "add", "Hall", *people)
        self.ctl("room", "manager", "add", "Hall", people[1])
        result = self.run_ctl("category", "set", "Work", "--deny", people[1])
        self.assertEqual("The category Work is changed.\n", result.stdout)
        self.assertEqual(
            "pchatctl: 3 role entries outside the new scope were taken away:"
            " creator sip:bob@example.com of Work; manager sip:bob@example.com of Hall;"
            " member sip:bob@example.com of Hall\n",
            result.stderr,
        )
        self.assertEqual([], self.ctl("category", "set", "Work", "--deny", "")["removed"])
        self.ctl("category", "add", "Few", "--allow", people[1])
        moved = self.ctl("room", "move", "Hall", "--category", "Few")
        self.assertEqual(
            [{"room": made["uri"], "place": "Hall", "role": "member", "uri": "sip:alice@example.com"}],
            moved["removed"],
        )
        self.assertNotIn("removed", self.ctl("room", "show", "Hall"))

    def test_presenters_taken_away(self) -> None:
        """A room that is no auditorium any more has no presenters, and says so; a long list is cut."""
        self.ctl("room", "add", "Hall", "--category", "Work", "--type", "auditorium", "--privacy", "open")
        names = [f"user{number:02}" for number in range(REMOVED_SHOWN + 2)]
        for name in names:
            self.add_user(name)
        self.ctl("room", "presenter", "add", "Hall", *(f"{name}@example.com" for name in names))
        result = self.run_ctl("room", "set", "Hall", "--type", "normal")
        start = "pchatctl: 12 role entries that the room may no longer have were taken away: presenter sip:"
        self.assertTrue(result.stderr.startswith(start), result.stderr)
        self.assertTrue(result.stderr.endswith("; and 2 more\n"))

    def test_narrow_terminal(self) -> None:
        """A room's GUID stays in one piece on 80 columns, and so do the words beside it."""
        made = self.ctl("room", "add", "Lobby", "--category", "Work", "--privacy", "open")
        out = Terminal()
        self.patch(sys, "stdout", out)
        self.patch(Console, "_environ", {"TERM": "xterm", "COLUMNS": "80"})
        _print_rooms([made], "")
        line = out.getvalue().splitlines()[1]
        self.assertEqual(
            ["Lobby", "Work", "open", "normal", "active", made["uri"].rpartition("/")[2]], line.split()
        )
        self.assertLessEqual(len(line), 80)

    def test_list(self) -> None:
        """Listings are filtered; secret rooms are not hidden from operators."""
        self.add_user("alice")
        for name, privacy in (("Lobby", "open"), ("Ops", "closed"), ("Vault", "secret")):
            self.ctl("room", "add", name, "--category", "Work", "--privacy", privacy)
        self.ctl("room", "member", "add", "Ops", "alice@example.com")
        self.ctl("room", "disable", "Lobby")
        self.ctl("room", "set", "Vault", "--description", "Quiet, please")
        for options, names in (
            ((), ["Lobby", "Ops", "Vault"]),
            (("--filter", "AU"), ["Vault"]),
            (("--member", "alice@example.com"), ["Ops"]),
            (("--privacy", "secret"), ["Vault"]),
            (("--type", "auditorium"), []),
            (("--disabled",), ["Lobby"]),
            (("--enabled", "--category", "Work"), ["Ops", "Vault"]),
            (("--limit", "2"), ["Lobby", "Ops"]),
            (("--limit", "0"), []),
            (("--invitations", "false"), []),
            (("--presenter", "alice@example.com"), []),
            (("--exceeds-mb", "0"), []),
            (("--filter", "quiet"), []),
            (("--filter", "quiet", "--search-description"), ["Vault"]),
        ):
            self.assertEqual(names, [room["name"] for room in self.ctl("room", "list", *options)], options)
        self.assertEqual("There are no such rooms.\n", self.run_ctl("room", "list", "--filter", "zzz").stdout)
        self.refused("room", "list", "--category", "None")
        self.refused("room", "list", "--privacy", "hidden", status=2)
        table = self.run_ctl("room", "list").stdout.splitlines()
        self.assertEqual(["Name", "Category", "Privacy", "Type", "State", "GUID"], table[0].split())
        self.assertEqual(["Lobby", "Work", "open", "normal", "disabled"], table[1].split()[:5])

    def test_set_all_at_once(self) -> None:
        """Attributes, category, state and whole lists change in one command, or nothing does."""
        self.add_user("alice")
        self.add_user("bob")
        self.ctl("category", "add", "Few", "--allow", "alice@example.com")
        self.ctl("room", "add", "Ops", "--category", "Work", "--disabled")
        self.ctl("room", "manager", "add", "Ops", "bob@example.com")
        lists = ("--member", "alice@example.com", "--member", "example.com", "--manager", "")
        changed = self.ctl("room", "set", "Ops", "--disabled", "no", "--name", "Den", *lists)
        self.assertFalse(changed["disabled"])
        self.assertEqual([DOMAIN, ALICE], plain(changed["members"]))
        self.assertEqual([], changed["managers"])
        self.refused("room", "set", "Den", "--category", "Few", "--manager", "bob@example.com")
        moved = self.ctl("room", "set", "Den", "--category", "Few", "--disabled", "yes")
        self.assertEqual(("Few", True), (moved["category"], moved["disabled"]))
        self.assertEqual(
            [{"room": moved["uri"], "place": "Den", "role": "member", "uri": "example.com"}], moved["removed"]
        )
        self.assertEqual([ALICE], plain(self.ctl("room", "show", "Den")["members"]))
        self.refused("room", "set", "Den", "--disabled", "maybe", status=2)

    def test_addins(self) -> None:
        """Web pages are registered, chosen for rooms, and taken from them when they go."""
        self.assertEqual("There are no add-ins.\n", self.run_ctl("addin", "list").stdout)
        made = self.ctl("addin", "add", "Wiki", "https://wiki.example.com/")
        self.assertEqual(("Wiki", "https://wiki.example.com/"), (made["name"], made["url"]))
        self.refused("addin", "add", "WIKI", "https://wiki.example.com/")
        self.refused("addin", "add", "Board", "ftp://board.example.com/")
        self.refused("addin", "set", "Wiki", status=2)
        self.refused("room", "add", "Ops", "--category", "Work", "--addin", "Board")
        room = self.ctl("room", "add", "Ops", "--category", "Work", "--addin", "wiki")
        self.assertEqual("Wiki", room["addin"])
        changed = self.ctl("addin", "set", made["guid"], "--name", "Board")
        self.assertEqual(("Board", 1), (changed["name"], changed["number_of_chat_rooms"]))
        self.assertEqual([changed], self.ctl("addin", "list"))
        self.assertEqual(changed, self.ctl("addin", "show", "board"))
        self.assertEqual(["Ops"], [room["name"] for room in self.ctl("room", "list", "--addin", "Board")])
        self.refused("addin", "remove", "Board")
        self.run_ctl("addin", "remove", "Board", "--force")
        self.assertIsNone(self.ctl("room", "show", "Ops")["addin"])
        self.refused("addin", "show", "Board")

    def test_roles(self) -> None:
        """People are put on and taken from each list; who is there already, or is not, is told."""
        self.add_user("alice")
        self.add_user("bob")
        self.ctl("room", "add", "Hall", "--category", "Work", "--type", "auditorium")
        for role in ("member", "manager", "presenter"):
            self.assertEqual([], self.ctl("room", role, "list", "Hall"))
            added = self.ctl("room", role, "add", "Hall", "bob@example.com", "alice@example.com")
            self.assertEqual([ALICE, BOB], plain(added))
            self.assertEqual(added, self.ctl("room", role, "list", "Hall"))
            self.assertEqual({"local:root"}, {entry["granted_by"] for entry in added})
            self.refused("room", role, "add", "Hall", "bob@example.com")
        left = self.ctl("room", "manager", "remove", "Hall", "sip:bob@example.com")
        self.assertEqual([ALICE], plain(left))
        self.refused("room", "manager", "remove", "Hall", "bob@example.com")
        self.refused("room", "member", "add", "Hall", "nobody@example.com")
        self.refused("room", "member", "add", "Hall", status=2)
        self.refused("room", "member", "list", "Nowhere")
        table = self.run_ctl("room", "manager", "list", "Hall").stdout.splitlines()
        self.assertEqual(["Managers", "Kind", "Granted", "by", "Granted", "on"], table[0].split())
        self.assertEqual(["sip:alice@example.com", "user", "local:root"], table[1].split()[:3])
        self.assertEqual([ALICE, BOB], plain(self.ctl("room", "show", "Hall")["presenters"]))

    def test_usage(self) -> None:
        """Bad words and missing options are not understood; what is unknown or doubled is refused."""
        self.refused("room", "add", "R", status=2)
        self.refused("room", "add", "R", "--category", "Work", "--privacy", "hidden", status=2)
        self.refused("room", "add", "R", "--category", "Work", "--type", "big", status=2)
        self.refused("room", "add", "R", "--category", "Work", "--bogus", status=2)
        self.refused("room", "set", "R", status=2)
        self.refused("room", "clear", "R", status=2)
        self.refused("room", "add", "R", "--category", "None")
        self.refused("room", "show", "")
        self.ctl("room", "add", "R", "--category", "Work")
        self.refused("room", "add", "r", "--category", "Work")

    def test_odd_names(self) -> None:
        """Names are never markup, paths or commands, neither in tables nor in addresses."""
        for name in (
            "[bold]x[/bold]",
            "a/b?c=d#e",
            ":smile:",
            "100 % 会議 👩\u200d💻",
            "..",
            "x" * 256,
            "--json",
        ):
            made = self.ctl("room", "add", "--category", "Work", "--", name)
            self.assertEqual(name, made["name"])
            self.assertEqual(made, self.ctl("room", "show", "--", name))
            for command in (("room", "list"), ("room", "show", "--", name)):
                result = self.run_ctl(*command)
                self.assertIn(name, result.stdout)
                self.assertNotIn("\x1b", result.stdout)
            self.ctl("room", "remove", "--", name)

    def test_control_characters(self) -> None:
        """A name that would act on the terminal is refused, and the refusal does not act either."""
        for name in ("a\x1b[31mb", "a\nb", "a\tb", "\udcff", "a\u202eb", "x" * 257):
            line = self.refused("room", "add", name, "--category", "Work")
            self.assertTrue(line.isprintable(), line)
            line = self.refused("room", "show", name)
            self.assertTrue(line.isprintable(), line)
