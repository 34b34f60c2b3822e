"""Listings of the administration interface: in parts for programs, whole for ``pchatctl``."""

from __future__ import annotations

from typing import Any
from unittest import mock

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred, succeed
from twisted.trial.unittest import SynchronousTestCase

from pchat.admin.api import Reply
from pchat.admin.client import whole_answer
from pchat.admin.offline import at_once
from pchat.admin.routes import MOST_ENTRIES, USUAL_ENTRIES, Caller
from pchat.errors import StoreUnavailable
from pchat.rooms import room_queries
from pchat.rooms.shown import Listing
from pchat.store import audit
from tests.admin.support import ACTOR, ApiCase, Asker


def reply(asker: Asker, path: str) -> Reply:
    """Ask for something below /api/v1/ with what a transport is told."""
    return at_once(asker.api.reply("GET", f"/api/v1/{path}", None, Caller(ACTOR)))


class PagingTests(ApiCase):
    """``limit``, ``offset`` and the link to the next part."""

    def setUp(self) -> None:
        super().setUp()
        self.category()
        for name in ("one", "two & 2", "three"):
            self.room(name)

    def names(self, query: str) -> list[str]:
        """List rooms by a query."""
        return [room["name"] for room in self.good("GET", f"rooms?{query}")]

    def test_parts(self) -> None:
        """A part is cut out of the whole; what lies behind the end is empty."""
        self.assertEqual(["one", "two & 2"], self.names("limit=2"))
        self.assertEqual(["three"], self.names("limit=2&offset=2"))
        self.assertEqual(["two & 2", "three"], self.names("offset=1"))
        self.assertEqual([], self.names("offset=3"))

    def test_link(self) -> None:
        """While more follows the answer says where, with the same filters."""
        self.assertEqual({}, reply(self.asker, "rooms?limit=3").headers)
        self.assertEqual({}, reply(self.asker, "rooms?limit=1&offset=2").headers)
        self.assertEqual({}, reply(self.asker, "config").headers)
        self.assertEqual(
            {"Link": '</api/v1/rooms?category=w%6Frk&limit=1&offset=2>; rel="next"'},
            reply(self.asker, "rooms?limit=1&category=w%6Frk&offset=1").headers,
        )

    def test_refused(self) -> None:
        """Parts of no size, of more than one answer may hold, and of what is no listing are refused."""
        for path in (
            "rooms?limit=0",
            f"rooms?limit={MOST_ENTRIES + 1}",
            "rooms?limit=x",
            "rooms?limit=-1",
            "rooms?limit=²",
            "rooms?offset=-1",
            "rooms?limit=1&limit=1",
            "status?limit=1",
            "rooms/one?offset=1",
        ):
            self.assertEqual((400, "invalid-request"), self.refusal("GET", path.replace("²", "%C2%B2")), path)

    def test_bounded(self) -> None:
        """Who does not say how many he wants gets no more than usual, and is told that there are more."""
        for number in range(USUAL_ENTRIES - 2):
            self.room(f"r{number}")
        answer = reply(self.asker, "rooms")
        self.assertEqual(USUAL_ENTRIES, len(answer.value))
        self.assertIn(f"offset={USUAL_ENTRIES}", answer.headers["Link"])


class PartTests(ApiCase):
    """Parts that have fewer entries than were wanted, and are not the last."""

    def setUp(self) -> None:
        super().setUp()
        self.category()

    def whole(self, path: str, most: int = 99) -> list[Any]:
        """Ask for a listing part by part, as a program does."""
        found, following = [], f"/api/v1/{path}"
        while following:
            answer = reply(self.asker, following.removeprefix("/api/v1/"))
            found += answer.value
            following = answer.headers.get("Link", "").partition("<")[2].partition(">")[0]
            most -= 1
            self.assertGreater(most, 0, "it has no end")
        return found

    def test_long_entries_of_the_log(self) -> None:
        """An answer has so many bytes of changes and then a link; an entry that is longer comes alone."""
        for number in range(5):
            self.room(f"Room {number}", description="x" * 100)
        expected = [entry["object"] for entry in self.whole("audit")]
        for limit in (1, 200, 1_000, 1 << 20):
            self.patch(audit, "FOUND_BYTES", limit)
            for number in (1, 2, 100):
                self.patch(audit, "_SIZES_AT_ONCE", number)
                for query in ("audit", "audit?limit=1", "audit?limit=4"):
                    self.assertEqual(expected, [entry["object"] for entry in self.whole(query)], limit)
                rooms = [entry["object"] for entry in self.whole("audit?kind=room&limit=2")]
                self.assertEqual(expected[:5], rooms, limit)
        self.patch(audit, "FOUND_BYTES", 1)
        self.assertEqual(1, len(self.good("GET", "audit")))

    def test_the_log_takes_its_turn(self) -> None:
        """The log is asked for in the order of searches."""
        gate = self.asker.parts.administration.searches
        at_once(Deferred.fromCoroutine(gate.run(lambda: succeed(None))))
        with mock.patch.object(gate, "run", side_effect=StoreUnavailable("too many searches wait")):
            self.assertEqual((503, "store-unavailable"), self.refusal("GET", "audit?kind=room"))

    def test_invitations_to_a_room_that_is_just_removed(self) -> None:
        """They are left out, and whoever asks still finds what follows."""
        self.good("PATCH", "categories/Work", {"invitations": True})
        self.good("PUT", "policies/global", {"enabled": True})
        self.user("alice")
        for name in ("one", "two", "three"):
            self.room(name)
            self.good("POST", f"rooms/{name}/roles/member", {"principals": ["alice@example.com"]})
        tree = self.asker.parts.tree
        [gone] = [room.id for room in tree.rooms() if room.name == "two"]
        find = tree.room_by_id
        with mock.patch.object(
            tree, "room_by_id", side_effect=lambda number: None if number == gone else find(number)
        ):
            for query in ("", "?limit=1", "?limit=2"):
                found = self.whole(f"users/alice@example.com/invitations{query}")
                self.assertEqual(["one", "three"], [entry["room"] for entry in found], query)

    def test_a_change_counts_no_messages(self) -> None:
        """How much a room holds is told to who asks for it; a change does not wait for that."""
        with mock.patch.object(room_queries, "room_size", side_effect=AssertionError("counted")):
            self.assertEqual(0, self.room("Ops")["messages"])
            for method, path, body in (
                ("PATCH", "rooms/Ops", {"description": "new"}),
                ("POST", "rooms/Ops/disable", None),
                ("POST", "rooms/Ops/enable", None),
            ):
                self.assertNotIn("content_bytes", self.good(method, path, body))
        self.assertEqual(0, self.good("GET", "rooms/Ops")["content_bytes"])


class WholeTests(SynchronousTestCase):
    """`whole_answer`, as ``pchatctl`` asks."""

    @settings(max_examples=50, deadline=None)
    @given(st.integers(0, 40), st.integers(1, 12))
    def test_whole(self, count: int, part: int) -> None:
        """However large the parts are, the whole listing arrives, in order, each entry once."""

        def ask(method: str, path: str, body: dict[str, Any] | None) -> tuple[int, Any, str | None]:
            start = int(path.partition("=")[2] or 0)
            end = start + part
            return 200, list(range(count))[start:end], f'</x?from={end}>; rel="next"' if end < count else None

        self.assertEqual((200, list(range(count))), whole_answer(ask, "GET", "/x", None))

    def test_limit(self) -> None:
        """Who says how many he wants is not given more."""
        asked = []

        def ask(method: str, path: str, body: dict[str, Any] | None) -> tuple[int, Any, str | None]:
            asked.append(path)
            return 200, [1], '</x?limit=1&offset=1>; rel="next"'

        self.assertEqual((200, [1]), whole_answer(ask, "GET", "/x?limit=1", None))
        self.assertEqual(["/x?limit=1"], asked)

    def test_refused_later(self) -> None:
        """A refusal of a later part is the answer to the whole."""
        answers = [(200, [1], '</x?o=1>; rel="next"'), (503, {"code": "store-unavailable"}, None)]
        self.assertEqual(
            (503, {"code": "store-unavailable"}), whole_answer(lambda *_: answers.pop(0), "GET", "/x", None)
        )


class ShortPartTests(ApiCase):
    """`whole_answer` where entries are so long that parts have few of them."""

    def test_as_many_as_wanted(self) -> None:
        """Who says how many he wants gets so many, however few are in a part."""
        self.category()
        for number in range(4):
            self.room(f"Room {number}")
        self.patch(audit, "FOUND_BYTES", 1)

        def ask(method: str, path: str, body: Any) -> tuple[int, Any, str | None]:
            answer = at_once(self.asker.api.reply(method, path, body, Caller(ACTOR)))
            return answer.status, answer.value, answer.headers.get("Link")

        for limit in (1, 3, 5, 9):
            status, found = whole_answer(ask, "GET", f"/api/v1/audit?limit={limit}", None)
            self.assertEqual((200, min(limit, 5)), (status, len(found)))
        self.assertEqual(5, len(whole_answer(ask, "GET", "/api/v1/audit", None)[1]))


class ListingTests(SynchronousTestCase):
    """`Listing`: what is not looked at is not made."""

    def test_lazy(self) -> None:
        """Of a long list only the wanted part is shown, however long it is."""
        shown: list[int] = []

        def show(number: int) -> dict[str, int]:
            shown.append(number)
            return {"number": number}

        listing = Listing(range(150_000), show)
        self.assertEqual([{"number": 7}, {"number": 8}], listing[7:9])
        self.assertEqual({"number": 149_999}, listing[-1])
        self.assertEqual([7, 8, 149_999], shown)
        self.assertEqual(150_000, len(listing))

    def test_like_a_list(self) -> None:
        """It is equal to the list of what it shows."""
        listing = Listing(iter("ab"), lambda letter: {"letter": letter})
        self.assertEqual([{"letter": "a"}, {"letter": "b"}], listing)
        self.assertNotEqual([], listing)
        self.assertNotEqual(2, listing)
