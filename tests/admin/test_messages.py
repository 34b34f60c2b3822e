"""``pchatctl message`` and ``pchatctl room clear``, and the operations behind them."""

from __future__ import annotations

import json
import secrets
import sys
from typing import Any

from rich.progress import MofNCompleteColumn

from pchat.admin.client import Door
from pchat.admin.offline import OfflineDoor, WallClock, at_once
from pchat.admin.progress import progress_bar
from pchat.admin.session import Session
from pchat.config import Config, load_config
from pchat.errors import OperatorError
from pchat.foundation import open_store
from pchat.interfaces import ITransaction
from pchat.rooms import message_administration
from pchat.rooms.message_administration import REPLACEMENT
from pchat.store import search
from pchat.store.messages import NewMessage
from tests.admin.support import ApiCase, CommandCase, Terminal


def message(room: int, revision: int, author: int, text: str) -> NewMessage:
    """Make a message."""
    return NewMessage(
        secrets.token_hex(16), room, "u", "n", author, "sip:x", "X", text, None, False, True, revision
    )


async def numbers(txn: ITransaction) -> tuple[int, int, int]:
    """Tell the number of a room, the revision and the number of a user."""
    rows = await txn.query(
        "select (select room_id from rooms), (select number from revision),"
        " (select principal_id from principals where kind = 5)"
    )
    return rows[0]


class RouteTests(ApiCase):
    """The operations."""

    def setUp(self) -> None:
        super().setUp()
        self.category()
        self.user("alice")
        self.room("Lobby")
        store = self.asker.parts.store
        room, revision, author = at_once(store.read(numbers))
        at_once(store.append([message(room, revision, author, text) for text in ("red", "blue", "Red hen")]))

    def found(self, query: str) -> list[int]:
        """Search; tell the chat ids."""
        return [one["chat_id"] for one in self.good("GET", f"messages?{query}")["messages"]]

    def test_search(self) -> None:
        """Every filter does what it says."""
        for query, expected in (
            ("", [1, 2, 3]),
            ("words=red", [1, 3]),
            ("words=red&case=true", [1]),
            ("words=red%20blue&match=any", [1, 2, 3]),
            ("words=red%20hen&match=exact&case=false", [3]),
            ("room=lobby&user=ALICE@example.com", [1, 2, 3]),
            ("limit=1", [3]),
            ("from=2000-01-01&to=2001-01-01", []),
            ("from=2023-11-14&to=2023-11-14", [1, 2, 3]),
        ):
            self.assertEqual(expected, self.found(query), query)

    def test_remove(self) -> None:
        """What passes the filter goes."""
        piece = self.good("POST", "rooms/Lobby/messages/remove", {"words": "red", "case": True})
        self.assertEqual({"changed": 1, "examined": 3, "next": None, "upto": 3, "left": 0}, piece)
        self.assertEqual([2, 3], self.found(""))
        piece = self.good("POST", "rooms/Lobby/messages/remove", {"all": True, "after": 2, "upto": 3})
        self.assertEqual([2], self.found(""))

    def test_replace(self) -> None:
        """What passes the filter gets a new text."""
        self.good("POST", "rooms/Lobby/messages/replace", {"user": "alice@example.com", "words": "blue"})
        self.good("POST", "rooms/Lobby/messages/replace", {"words": "hen", "text": "gone"})
        texts = [one["text"] for one in self.good("GET", "messages")["messages"]]
        self.assertEqual(["red", REPLACEMENT, "gone"], texts)

    def test_clear(self) -> None:
        """Everything up to a time goes."""
        self.assertEqual(0, self.good("POST", "rooms/Lobby/clear", {"until": "2020-01-01"})["changed"])
        self.assertEqual(3, self.good("POST", "rooms/Lobby/clear", {"until": "2030-01-01"})["changed"])

    def test_refusals(self) -> None:
        """What is missing, wrong or unknown is told; nothing is lost."""
        invalid, argument = (400, "invalid-request"), (400, "invalid-argument")
        remove, replace = "rooms/Lobby/messages/remove", "rooms/Lobby/messages/replace"
        for method, path, body, expected in (
            ("GET", "messages?match=some", None, invalid),
            ("GET", "messages?room=nowhere", None, (404, "no-such-node")),
            ("GET", "messages?user=nobody@example.com", None, (404, "no-such-principal")),
            ("GET", "messages?from=2026-01-02&to=2026-01-01", None, argument),
            ("GET", "messages?words=%21%21", None, argument),
            ("POST", remove, None, argument),
            ("POST", remove, {"match": "any", "case": True}, argument),
            ("POST", remove, {"words": "red", "all": True}, argument),
            ("POST", remove, {"words": "red", "text": "x"}, invalid),
            ("POST", remove, {"words": "red", "after": -1}, invalid),
            ("POST", remove, {"from": "yesterday"}, invalid),
            ("POST", replace, {"words": "red", "text": ""}, argument),
            ("POST", "rooms/x/messages/remove", {"words": "red"}, (404, "no-such-node")),
            ("POST", "rooms/Lobby/clear", {}, invalid),
            ("POST", "rooms/Lobby/clear", {"until": "2026-02-30"}, invalid),
        ):
            self.assertEqual(expected, self.refusal(method, path, body), (path, body))
        self.assertEqual([1, 2, 3], self.found(""))


class BrokenDoor:
    """A way to administration that ends after some questions."""

    def __init__(self, config: Config, questions: int) -> None:
        self._door = OfflineDoor(config)
        self.running = False
        self._left = questions

    def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """Ask, unless it is broken."""
        self._left -= 1
        if self._left < 0:
            raise OperatorError("the server gave no answer")
        return self._door.call(method, path, body)

    def close(self) -> None:
        """End."""
        self._door.close()


class CommandTests(CommandCase):
    """What an operator types, while no server runs."""

    def setUp(self) -> None:
        super().setUp()
        self.ctl("category", "add", "Work", "--allow", "example.com")
        self.ctl("room", "add", "Lobby", "--category", "Work")
        self.add_user("alice")
        self.say("red fox", "blue hen", "a Red hen")

    def say(self, *texts: str) -> None:
        """Put messages into the store."""
        store = open_store(load_config(self.config, with_tls=False), WallClock(), secrets.token_bytes)
        at_once(store.start())
        room, revision, author = at_once(store.read(numbers))
        at_once(store.append([message(room, revision, author, text) for text in texts]))
        at_once(store.stop())

    def texts(self, *arguments: str) -> list[str]:
        """Search."""
        return [one["text"] for one in self.ctl("message", "search", *arguments)]

    def test_search(self) -> None:
        """A bare array for programs, a table for persons."""
        self.assertEqual(["red fox", "a Red hen"], self.texts("red"))
        self.assertEqual(["a Red hen"], self.texts("--match", "exact", "Red", "hen"))
        self.assertEqual(["a Red hen"], self.texts("--case", "Red"))
        self.assertEqual(
            ["red fox", "blue hen"], self.texts("--match", "any", "fox", "blue", "--room", "Lobby")
        )
        self.assertEqual(["a Red hen"], self.texts("--limit", "1", "--user", "alice@example.com"))
        self.assertEqual([], self.texts("--to", "2001-01-01"))
        [one] = self.ctl("message", "search", "blue")
        self.assertEqual(["room", "room_uri", "chat_id", "time", "author", "text", "alert"], list(one))
        lines = self.run_ctl("message", "search", "blue").stdout.splitlines()
        self.assertEqual(["Time", "Room", "Number", "Author", "Text"], lines[0].split())
        self.assertIn("blue hen", lines[1])
        self.assertEqual("There are no such messages.\n", self.run_ctl("message", "search", "x").stdout)

    def test_search_cut(self) -> None:
        """That there are more is told beside the table."""
        result = self.run_ctl("message", "search", "--limit", "1")
        self.assertIn("there are more messages", result.stderr)
        self.assertEqual(2, len(result.stdout.splitlines()))

    def test_remove(self) -> None:
        """Filters and words say what goes; how much it was is told."""
        self.assertEqual(
            "2 messages of Lobby removed.\n", self.run_ctl("message", "remove", "Lobby", "red").stdout
        )
        self.assertEqual(["blue hen"], self.texts())
        done = self.ctl("message", "remove", "Lobby", "--all")
        self.assertEqual({"changed": 1, "examined": 3}, done)
        self.assertEqual([], self.texts())

    def test_replace(self) -> None:
        """The default text is the reference server's."""
        self.assertEqual(
            "1 message of Lobby replaced.\n",
            self.run_ctl(
                "message", "replace", "Lobby", "--case", "--user", "alice@example.com", "Red"
            ).stdout,
        )
        self.ctl("message", "replace", "Lobby", "--from", "2001-01-01", "--text", "gone", "--", "blue")
        self.assertEqual(["red fox", "gone", REPLACEMENT], self.texts())

    def test_clear(self) -> None:
        """A room is emptied up to a time."""
        self.assertEqual(
            {"changed": 0, "examined": 3}, self.ctl("room", "clear", "Lobby", "--until", "2001-01-01")
        )
        self.assertEqual(
            "3 messages of Lobby removed.\n",
            self.run_ctl("room", "clear", "Lobby", "--until", "2100-01-01T00:00:00Z").stdout,
        )

    def test_usage(self) -> None:
        """Without a choice, or with a word that is none, nothing is done."""
        self.assertIn("or --all", self.refused("message", "remove", "Lobby", status=2))
        self.assertIn("or --all", self.refused("message", "replace", "Lobby", "--match", "any", status=2))
        self.refused("message", "remove", "Lobby", "--match", "some", "x", status=2)
        self.refused("message", "search", "--limit", "0", status=2)
        self.refused("room", "clear", "Lobby", status=2)
        self.refused("message", "remove", "Lobby", "--all", "red")
        self.refused("message", "remove", "Nowhere", "red")
        self.refused("message", "remove", "Lobby", "--from", "soon")
        self.refused("room", "clear", "Lobby", "--until", "soon")
        self.assertEqual(3, len(self.texts()))

    def test_confirmation(self) -> None:
        """A person is asked, and told what he is about to lose; --yes is as good as his word."""
        self.session = Session(is_terminal=lambda: True)
        chosen = ("Lobby", "red", "hen", "--user", "alice@example.com")
        for arguments, question in (
            (
                ("message", "remove", *chosen),
                "Remove 1 message of Lobby (by alice@example.com, with all of 'red hen') for good?",
            ),
            (
                ("message", "replace", "Lobby", "--all"),
                "Replace 3 messages of Lobby (all there are) for good?",
            ),
            (("room", "clear", "Lobby", "--until", "2100-01-01"), "up to 2100-01-01"),
        ):
            result = self.run_ctl(*arguments, stdin="n\n")
            self.assertEqual(1, result.exit_code)
            self.assertIn(question, result.stderr)
        self.assertEqual(3, len(self.texts()))
        self.assertEqual(0, self.run_ctl("message", "remove", "Lobby", "--all", "--yes").exit_code)
        self.assertEqual([], self.texts())

    def test_counted_only(self) -> None:
        """Where nothing is meant nobody is asked; what is said while he makes up his mind stays."""
        self.session = Session(is_terminal=lambda: True)
        result = self.run_ctl("message", "remove", "Lobby", "green", stdin="")
        self.assertEqual((0, "0 messages of Lobby removed.\n"), (result.exit_code, result.stdout))
        self.assertNotIn("?", result.stderr)

        def confirm(session: Session, question: str, *, sure: bool) -> None:
            self.say("red too late")

        self.patch(Session, "confirm", confirm)
        result = self.run_ctl("message", "remove", "Lobby", "--all")
        self.assertEqual(0, result.exit_code, result.output)
        self.assertEqual(["red too late"], self.texts())

    def test_dry_run(self) -> None:
        """How many are meant can be asked alone, also in pieces; nothing is changed, no record is made."""
        log = self.ctl("audit", "list")
        for pieces in (message_administration.PIECE_CHAT_IDS, 1):
            self.patch(message_administration, "PIECE_CHAT_IDS", pieces)
            for command in ("remove", "replace"):
                self.assertEqual(
                    {"messages": 2}, self.ctl("message", command, "Lobby", "red", "--dry-run"), command
                )
        result = self.run_ctl("message", "remove", "Lobby", "--all", "--dry-run")
        self.assertEqual("3 messages of Lobby would be changed.\n", result.stdout)
        self.refused("message", "remove", "Lobby", "--dry-run", status=2)
        self.refused("message", "remove", "Lobby", "--user", "nobody@example.com", "--dry-run")
        self.assertEqual(log, self.ctl("audit", "list"))
        self.assertEqual(3, len(self.texts()))

    def test_counted_in_parts(self) -> None:
        """A search that looks at a little only is asked again where it ended, until all are counted."""
        self.patch(search, "LOOKS", 1)
        self.patch(search, "STEP", 1)
        self.assertEqual({"messages": 2}, self.ctl("message", "remove", "Lobby", "red", "--dry-run"))
        self.assertEqual({"messages": 3}, self.ctl("message", "remove", "Lobby", "--all", "--dry-run"))

    def test_long_text(self) -> None:
        """A new text may have as many bytes as a message, and the refusal tells that number."""
        self.ctl("message", "replace", "Lobby", "--all", "--text", "x" * 8_000)
        self.assertEqual({"x" * 8_000}, set(self.texts()))
        line = self.refused("message", "replace", "Lobby", "--all", "--text", "ä" * 4_001)
        self.assertEqual("pchatctl: the new text must have 1 to 8000 bytes", line)

    def test_pieces(self) -> None:
        """Long work is asked for piece by piece, over one way; the sum is told."""
        self.patch(message_administration, "PIECE_MESSAGES", 2)
        self.say(*["red"] * 5)
        self.assertEqual({"changed": 7, "examined": 8}, self.ctl("message", "remove", "Lobby", "red"))

    def test_interrupted(self) -> None:
        """What was done before the way broke is done, and told; the rest is as it was."""
        self.patch(message_administration, "PIECE_MESSAGES", 1)

        def door(config: Config, **_: Any) -> Door:
            return BrokenDoor(config, 1)

        self.session = Session(open_door=door)
        result = self.run_ctl("message", "remove", "Lobby", "red")
        self.assertEqual(1, result.exit_code)
        self.assertIn("given up: 1 message removed before, the others are as they were", result.stderr)
        self.assertIn("the server gave no answer", result.stderr)
        as_json = self.run_ctl("--json", "message", "remove", "Lobby", "--all")
        self.assertEqual("the server gave no answer", json.loads(as_json.stderr)["error"])
        self.session = None
        self.assertEqual(["a Red hen"], self.texts())

    def test_progress(self) -> None:
        """A person at a terminal sees how far it is; nobody else does."""
        terminal = Terminal()
        self.patch(sys, "stderr", terminal)
        for as_json, seen in ((False, True), (True, False)):
            with progress_bar("Looking", MofNCompleteColumn(), quiet=as_json) as show:
                show(50, 200)
            self.assertEqual(seen, "50/200" in terminal.getvalue())
            terminal.truncate(0)
