"""The audit log: every change by every route is in it once, with what was before and after, and no secret.

The same story shows that every answer is as described, member by member.
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple
from urllib.parse import quote

from jsonschema import Draft202012Validator

from pchat.admin.offline import at_once
from pchat.admin.schemas import SCHEMAS
from pchat.rooms.token_administration import TOKEN_PREFIX
from pchat.store.messages import Appended, NewMessage
from tests.admin.support import ACTOR, PASSWORD, ApiCase

ALICE = "sip:alice@example.com"
PEOPLE = {"principals": [ALICE]}
#: What alice says; the first two are searched for, and so stand in the log as what was sought.
POSTS = ("one", "two", "a secret")


class Change(NamedTuple):
    """A request that changes something, and the entry that is expected.

    Args:
        request: Method and path.
        body: What is sent.
        entry: Action and kind.
        before, after: Some of what the entry must tell; None: nothing may be told.
    """

    request: str
    body: dict[str, Any] | None
    entry: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None


_MAP = {"name": "Map", "url": "https://a.example/"}
_B = {"url": "https://b.example/"}
_NEW = {"uri": ALICE, "password": PASSWORD, "display_name": "Alice"}
_PLAY = {"name": "Play", "allowed_members": ["example.com"]}
_SCOPED = {"allowed_members": ["example.com"]}
_TOKEN = {"name": "ci", "scopes": ["read"]}
#: A story that uses every route that changes something.
STORY = (
    Change("POST users", _NEW, "add user", None, {"display_name": "Alice"}),
    Change("PATCH users/ALICE", {"company": "C"}, "change user", {"company": ""}, {"company": "C"}),
    Change(
        "PUT users/ALICE/password", {"password": PASSWORD}, "password user", None, {"password": "changed"}
    ),
    Change("POST users/ALICE/disable", None, "disable user", {"state": "active"}, {"state": "disabled"}),
    Change("POST users/ALICE/enable", None, "enable user", {"state": "disabled"}, {"state": "active"}),
    Change("PUT policies/global", {"enabled": True}, "set policy", {"enabled": False}, {"enabled": True}),
    Change("DELETE policies/global", None, "reset policy", {"enabled": True}, {"enabled": False}),
    Change("PUT policies/users/ALICE", {"enabled": False}, "set policy", None, {"enabled": False}),
    Change("DELETE policies/users/ALICE", None, "remove policy", {"enabled": False}, None),
    Change("POST groups", {"name": "Staff"}, "add group", None, {"name": "Staff"}),
    Change("PATCH groups/Staff", {"name": "All"}, "change group", {"name": "Staff"}, {"name": "All"}),
    Change("POST groups/All/members", PEOPLE, "members group", None, {"added": [ALICE]}),
    Change("POST groups/All/members/remove", PEOPLE, "members group", None, {"removed": [ALICE]}),
    Change("DELETE groups/All", None, "remove group", {"name": "All"}, None),
    Change("POST categories", {"name": "Work"}, "add category", None, {"name": "Work"}),
    Change("PATCH categories/Work", _SCOPED, "change category", {}, _SCOPED),
    Change("POST addins", _MAP, "add addin", None, _MAP),
    Change("PATCH addins/Map", _B, "change addin", {"url": "https://a.example/"}, _B),
    Change("DELETE addins/Map", None, "remove addin", {"name": "Map"}, None),
    Change("POST rooms", {"name": "Ops", "category": "Work"}, "add room", None, {"name": "Ops"}),
    Change(
        "PATCH rooms/Ops", {"privacy": "secret"}, "change room", {"privacy": "closed"}, {"privacy": "secret"}
    ),
    Change("POST categories", _PLAY, "add category", None, _PLAY),
    Change(
        *("POST rooms/Ops/move", {"category": "Play"}, "move room"),
        *({"category_name": "Work"}, {"category_name": "Play"}),
    ),
    Change("POST rooms/Ops/disable", None, "disable room", {"disabled": False}, {"disabled": True}),
    Change("POST rooms/Ops/enable", None, "enable room", {"disabled": True}, {"disabled": False}),
    Change("POST rooms/Ops/roles/member", PEOPLE, "change role", {}, {"member": [ALICE]}),
    Change("POST rooms/Ops/roles/member/remove", PEOPLE, "change role", {"member": [ALICE]}, {}),
    Change(
        "POST rooms/Ops/messages/replace",
        {"words": "one", "text": "1"},
        "replace messages",
        {"words": "one"},
        {"messages": 1},
    ),
    Change(
        "POST rooms/Ops/messages/remove",
        {"words": "two"},
        "remove messages",
        {"words": "two"},
        {"messages": 1},
    ),
    Change(
        "POST rooms/Ops/clear",
        {"until": "2024-01-01"},
        "clear messages",
        {"until": "2024-01-01"},
        {"messages": 2},
    ),
    Change("DELETE rooms/Ops", None, "remove room", {"name": "Ops"}, None),
    Change("DELETE categories/Work", None, "remove category", {"name": "Work"}, None),
    Change("DELETE users/ALICE", None, "remove user", {"display_name": "Alice"}, None),
    Change(
        *("PUT config/search-limit", {"value": "7"}, "set setting"),
        *({"search-limit": 999}, {"search-limit": 7}),
    ),
    Change(
        *("DELETE config/search-limit", None, "reset setting"),
        *({"search-limit": 7}, {"search-limit": 999}),
    ),
    Change("POST tokens", _TOKEN, "add token", None, {"scopes": ["read"]}),
    Change("DELETE tokens/ci", None, "revoke token", {"scopes": ["read"]}, None),
)
#: What asks too much for an address, and changes nothing.
COUNTING = {"POST rooms/{room}/messages/count"}

#: Every route that only tells, asked after half of the story.
QUESTIONS = (
    *(
        "users",
        "users/ALICE",
        "users/ALICE/invitations",
        "policies",
        "groups",
        "groups/All",
        "groups/All/members",
        "addins",
        "addins/Map",
    ),
    *(
        "eligible?category=Work",
        "categories",
        "categories/Work",
        "rooms",
        "rooms/Ops",
        "rooms/Ops/roles/member",
    ),
    *("messages?words=one", "config", "status", "reports/usage", "tokens", "audit", "openapi.json"),
)


def closed(schema: Any) -> Any:
    """Make a description strict: objects whose members are described have no others."""
    if isinstance(schema, list):
        return [closed(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    strict = {name: closed(part) for name, part in schema.items()}
    return strict | {"additionalProperties": False} if isinstance(schema.get("properties"), dict) else strict


_CLOSED = {"components": {"schemas": {name: closed(schema) for name, schema in SCHEMAS.items()}}}


def faults(answer: object, name: str) -> list[str]:
    """List how an answer differs from its description."""
    validator = Draft202012Validator({"$ref": f"#/components/schemas/{name}", **_CLOSED})
    return [error.message for error in validator.iter_errors(answer)]


class AuditCase(ApiCase):
    """An interface that is asked by short requests."""

    def ask(self, request: str, body: dict[str, Any] | None = None) -> tuple[str, Any]:
        """Ask; check the answer against the description; return the route's path and the answer."""
        method, path = request.replace("ALICE", quote(ALICE, safe="")).split()
        status, answer = self.call(method, path, body)
        self.assertLess(status, 400, (request, answer))
        # Of two routes that match, the first is meant.
        segments = tuple(path.partition("?")[0].split("/"))
        route = next(
            route
            for route in self.asker.api.routes
            if route.method == method and route.match(segments) is not None
        )
        self.assertEqual(route.status, status, request)
        if status != 204:
            self.assertEqual([], faults(answer, route.answer), request)
        return f"{method} {route.path}", answer

    def log(self, query: str = "") -> list[dict[str, Any]]:
        """List the audit log, the newest entry first."""
        entries: list[dict[str, Any]] = self.ask(f"GET audit?limit=1000{query}")[1]
        return entries

    def post(self, text: str) -> None:
        """Let alice say something in the room Ops."""
        parts = self.asker.parts
        room, alice = parts.administration.rooms.room("Ops"), parts.administration.people.user(ALICE)
        message = NewMessage(
            message_id=text.encode().hex().zfill(32),
            room_id=room.id,
            room_uri=room.uri,
            room_name=room.name,
            author_id=alice.id,
            author_uri=alice.uri,
            author_name="",
            chat=text,
            rtf=None,
            alert=False,
            logged=True,
            revision=parts.tree.revision,
        )
        (appended,) = at_once(parts.store.append([message]))
        assert isinstance(appended, Appended)
        room.last_chat_id = appended.chat_id


class StoryTests(AuditCase):
    """Every route that changes something, in a row."""

    def test_every_change(self) -> None:
        """Each change makes one entry, which tells who, what, and what was before and after."""
        used = set()
        for change in STORY:
            if change.request == "POST rooms/Ops/messages/replace":
                for text in POSTS:
                    self.post(text)
            known = len(self.log())
            used.add(self.ask(change.request, change.body)[0])
            entries = self.log()
            self.assertEqual(known + 1, len(entries), change.request)
            self.check(change, entries[0])
        changing = {
            f"{route.method} {route.path}" for route in self.asker.api.routes if route.method != "GET"
        }
        self.assertEqual(changing - COUNTING, used)

    def test_every_question(self) -> None:
        """Every answer of a route that only tells is as described, member by member."""
        for change in STORY:
            if not change.request.startswith(("DELETE", "POST rooms/Ops/m", "POST rooms/Ops/c")):
                self.ask(change.request, change.body)
        self.ask("POST groups/All/members", PEOPLE)
        self.ask("POST rooms/Ops/roles/member", PEOPLE)
        self.post("one")
        known = len(self.log())
        counted = self.ask("POST rooms/Ops/messages/count", {"words": "one"})
        self.assertEqual((COUNTING, 1), ({counted[0]}, counted[1]["messages"]))
        self.assertEqual(known, len(self.log()))
        used = {self.ask(f"GET {question}")[0] for question in QUESTIONS}
        telling = {f"GET {route.path}" for route in self.asker.api.routes if route.method == "GET"}
        self.assertEqual(telling, used)

    def check(self, change: Change, entry: dict[str, Any]) -> None:
        """Compare an entry with what is expected."""
        self.assertEqual(
            (ACTOR, change.entry), (entry["actor"], f"{entry['action']} {entry['kind']}"), change.request
        )
        self.assertTrue(entry["object"], change.request)
        for side in ("before", "after"):
            expected = getattr(change, side)
            if expected is None:
                self.assertIsNone(entry[side], change.request)
            else:
                self.assertLessEqual(expected.items(), entry[side].items(), (change.request, side))
        written = json.dumps(entry)
        self.assertNotIn(PASSWORD, written)
        self.assertNotIn(TOKEN_PREFIX, written)
        self.assertNotIn(POSTS[-1], written)

    def test_nothing_changed(self) -> None:
        """What changes nothing is not in the log; a list that is set is there once."""
        self.category()
        self.room("Ops")
        self.user("alice")
        changes: tuple[tuple[str, dict[str, Any]], ...] = (
            ("rooms/Ops", {"members": [ALICE]}),
            ("categories/Work", {"description": "All"}),
        )
        for path, body in changes:
            number = len(self.log())
            for _ in range(2):
                self.good("PATCH", path, body)
                self.assertEqual(number + 1, len(self.log()), path)
        changes = (
            ("rooms/Ops", {"name": "Ops", "privacy": "closed", "managers": []}),
            ("categories/Work", {"allowed_members": ["example.com"], "invitations": False}),
            ("users/alice@example.com", {"company": ""}),
        )
        for path, body in changes:
            known = self.log()
            self.good("PATCH", path, body)
            self.assertEqual(known, self.log(), path)

    def test_refused(self) -> None:
        """What was refused, or changed nothing because it failed, is not in the log."""
        self.refusal("POST", "users", {"uri": "nobody"})
        self.refusal("DELETE", "rooms/none")
        self.refusal("PUT", "config/search-limit", {"value": "0"})
        self.assertEqual([], self.log())


class ListingTests(AuditCase):
    """The log is looked through."""

    def setUp(self) -> None:
        super().setUp()
        clock: Any = self.asker.parts.administration.tokens._clock
        for name in ("a", "b"):
            self.good("POST", "categories", {"name": name})
            clock.advance(86_400)
        self.good("PUT", "config/search-limit", {"value": "7"})

    def found(self, query: str) -> list[str]:
        """List the actions and kinds, the newest first."""
        return [f"{entry['action']} {entry['kind']}" for entry in self.log(query)]

    def test_filters(self) -> None:
        """Every filter lets pass what it names; several must all fit; the newest is first."""
        add, change = "add category", "set setting"
        uri = quote(self.good("GET", "categories/a")["uri"], safe="")
        for query, expected in (
            ("", [change, add, add]),
            ("&kind=category", [add, add]),
            ("&kind=setting&action=set", [change]),
            ("&kind=setting&action=add", []),
            (f"&object={uri}", [add]),
            ("&object=search-limit", [change]),
            (f"&actor={ACTOR}", [change, add, add]),
            ("&actor=local:other", []),
            ("&from=2023-11-15", [change, add]),
            ("&from=2023-11-15T22:13:20Z&to=2023-11-15T22:13:20Z", [add]),
            ("&to=2023-11-14", [add]),
            ("&to=2023-11-14T22:13:19.9999999Z", []),
        ):
            self.assertEqual(expected, self.found(query), query)

    def test_parts(self) -> None:
        """The log is given in parts like every listing."""
        whole = self.log()
        self.assertEqual(whole[:2], self.good("GET", "audit?limit=2"))
        self.assertEqual(whole[2:], self.good("GET", "audit?limit=2&offset=2"))

    def test_refused(self) -> None:
        """Filters and times that are none are refused."""
        for query in (
            *("from=yesterday", "to=2023-02-30", "colour=red", "from=", "kind=nope"),
            "from=2023-11-15&to=2023-11-14",
        ):
            self.assertEqual((400, "invalid-request"), self.refusal("GET", f"audit?{query}"), query)
