"""`pchat.admin.api`: what third-party tools send and get, without any transport."""

from __future__ import annotations

from urllib.parse import quote

from pchat.admin.fields import TEXT_CHARACTERS
from pchat.admin.offline import at_once
from pchat.store import people
from tests.admin.support import ACTOR, PASSWORD, ApiCase

#: What addresses, terminals, tables or pages could take for something else than a name.
ODD_NAMES = (
    "a/b",
    "..",
    "50 % off?",
    "#1",
    "[bold]red[/bold]",
    "Ünïcode 😀 שלום",
    "<script>alert(1)</script>",
    "a&b=c",
    ":smile:",
    "x" * 256,
    "😀" * 256,
)


class UserTests(ApiCase):
    """The resources users and policies."""

    def test_life(self) -> None:
        """An account is made, shown, disabled, enabled and removed; the address may be written in any way."""
        status, made = self.call(
            "POST", "users", {"uri": "Alice@Example.com", "password": PASSWORD, "display_name": "Alice Ä"}
        )
        self.assertEqual(201, status)
        self.assertEqual("sip:Alice@example.com", made["uri"])
        self.assertEqual(("Alice Ä", "active", False), (made["display_name"], made["state"], made["enabled"]))
        self.assertEqual(ACTOR, made["created_by"])
        self.assertRegex(made["created_on"], r"^2023-11-14T22:13:20(\.\d+)?Z$")
        self.assertEqual(made, self.good("GET", "users/sip%3Aalice%40EXAMPLE.com"))
        self.assertEqual(["sip:Alice@example.com"], [user["uri"] for user in self.good("GET", "users")])
        self.assertEqual("disabled", self.good("POST", "users/alice@example.com/disable")["state"])
        self.assertEqual("active", self.good("POST", "users/alice@example.com/enable")["state"])
        self.assertEqual((200, {"removed": []}), self.call("DELETE", "users/alice@example.com"))
        self.assertEqual([], self.good("GET", "users"))

    def test_password(self) -> None:
        """A password is stored as verifiers, is replaced, and stands in no answer."""
        self.user("alice")
        self.assertEqual(
            (204, None), self.call("PUT", "users/alice@example.com/password", {"password": PASSWORD})
        )
        number = self.asker.parts.administration.people.user("alice@example.com").id
        kept = at_once(self.asker.parts.store.read(people.credentials, number))
        self.assertEqual({"ntlm", "digest", "scrypt"}, {scheme for scheme, _ in kept})
        self.assertNotIn(PASSWORD, str(self.good("GET", "users/alice@example.com")))
        status, problem = self.call("PUT", "users/alice@example.com/password", {"password": "pässword"})
        self.assertEqual((400, "refused"), (status, problem["code"]))
        self.assertNotIn("pässword", problem["detail"])

    def test_refused(self) -> None:
        """Doubled, unknown and malformed accounts are refused with codes that stay."""
        self.user("alice")
        users = "users/alice@example.com"
        self.assertEqual(
            (409, "principals-already-defined"), self.refusal("POST", "users", {"uri": "alice@example.com"})
        )
        self.assertEqual((400, "invalid-argument"), self.refusal("POST", "users", {"uri": "alice"}))
        self.assertEqual((404, "no-such-principal"), self.refusal("GET", "users/bob@example.com"))
        self.assertEqual((400, "invalid-argument"), self.refusal("POST", f"{users}/enable"))
        self.assertEqual((400, "invalid-request"), self.refusal("PUT", f"{users}/password"))
        self.assertEqual((404, "no-such-principal"), self.refusal("GET", "users/"))

    def test_policies(self) -> None:
        """Chat is off until the global policy, or the user's own, switches it on."""
        self.user("alice")
        self.user("bob")
        self.assertEqual(
            {"scope": "global", "uri": None, "enabled": True, "description": "all"},
            self.good("PUT", "policies/global", {"enabled": True, "description": "all"}),
        )
        self.good("PUT", "policies/users/bob@example.com", {"enabled": False})
        self.assertEqual(
            [("global", None, True), ("user", "sip:bob@example.com", False)],
            [(policy["scope"], policy["uri"], policy["enabled"]) for policy in self.good("GET", "policies")],
        )
        self.assertEqual([True, False], [user["enabled"] for user in self.good("GET", "users")])
        self.assertEqual((400, "invalid-request"), self.refusal("PUT", "policies/global", {"enabled": "yes"}))


class NodeTests(ApiCase):
    """The resources categories, rooms and roles."""

    def test_category(self) -> None:
        """A category is made, changed list by list, and removed when it is empty."""
        self.user("alice")
        made = self.good(
            "POST",
            "categories",
            {"name": "Work", "allowed_members": ["example.com"], "file_upload": True, "chat_history": False},
        )
        self.assertEqual([{"uri": "example.com", "kind": "domain"}], made["allowed_members"])
        self.assertEqual(
            (True, False, False), (made["file_upload"], made["chat_history"], made["invitations"])
        )
        changed = self.good(
            "PATCH", "categories/work", {"name": "Play", "denied_members": ["alice@example.com"]}
        )
        self.assertEqual(("Play", made["uri"]), (changed["name"], changed["uri"]))
        self.assertEqual(made["allowed_members"], changed["allowed_members"])
        self.assertEqual([{"uri": "sip:alice@example.com", "kind": "user"}], changed["denied_members"])
        emptied = self.good("PATCH", "categories/Play", {"denied_members": []})
        self.assertEqual([], emptied["denied_members"])
        self.good("POST", "rooms", {"name": "R", "category": "Play"})
        self.assertEqual((409, "node-hierarchy-violation"), self.refusal("DELETE", "categories/Play"))
        self.good("DELETE", "rooms/R")
        self.assertEqual((204, None), self.call("DELETE", "categories/Play"))
        self.assertEqual([], self.good("GET", "categories"))

    def test_room(self) -> None:
        """A room is made, found by name, URI and GUID, changed, moved, disabled, enabled and removed."""
        self.category()
        self.category("Other")
        made = self.room("Council", privacy="secret", type="auditorium", description="d")
        self.assertEqual(
            ("Council", "Work", "secret", "auditorium", "d", False),
            tuple(made[key] for key in ("name", "category", "privacy", "type", "description", "disabled")),
        )
        guid = made["uri"].rpartition("/")[2]
        for key in ("council", made["uri"], made["uri"].upper(), guid, guid.upper()):
            self.assertEqual(made, self.good("GET", f"rooms/{quote(key, safe='')}"))
        changed = self.good("PATCH", "rooms/council", {"name": "Senate", "type": "normal"})
        self.assertEqual(
            ("Senate", "normal", "secret"), (changed["name"], changed["type"], changed["privacy"])
        )
        moved = self.good("POST", "rooms/Senate/move", {"category": "other"})
        self.assertEqual("Other", moved["category"])
        self.assertTrue(self.good("POST", "rooms/Senate/disable")["disabled"])
        self.assertEqual((400, "invalid-argument"), self.refusal("POST", "rooms/Senate/disable"))
        self.assertFalse(self.good("POST", "rooms/Senate/enable")["disabled"])
        self.assertEqual((204, None), self.call("DELETE", "rooms/Senate"))
        self.assertEqual((404, "no-such-node"), self.refusal("GET", "rooms/Senate"))

    def test_filters(self) -> None:
        """Rooms are listed by every filter; a filter that nobody knows is refused, not ignored."""
        self.user("alice")
        self.category()
        self.category("Other")
        self.room("Lobby", privacy="open", description="For you & me")
        self.room("Vault", privacy="secret", type="auditorium")
        self.good("POST", "rooms", {"name": "Attic", "category": "Other"})
        self.good("POST", "rooms/Vault/roles/member", {"principals": ["alice@example.com"]})
        self.good("POST", "rooms/Attic/roles/manager", {"principals": ["example.com"]})
        self.good("POST", "rooms/Attic/disable")
        for query, names in (
            ("", ["Lobby", "Vault", "Attic"]),
            ("filter=LOB", ["Lobby"]),
            ("filter=YOU%20%26", []),
            ("filter=YOU%20%26&search_description=true", ["Lobby"]),
            ("presenter=alice@example.com", []),
            ("invitations=inherit&limit=2", ["Lobby", "Vault"]),
            ("exceeds_mb=1", []),
            ("category=work", ["Lobby", "Vault"]),
            ("category=work&privacy=secret", ["Vault"]),
            ("type=auditorium", ["Vault"]),
            ("member=alice@example.com", ["Vault"]),
            ("manager=alice@example.com", ["Attic"]),
            ("disabled=true", ["Attic"]),
            ("disabled=false", ["Lobby", "Vault"]),
        ):
            self.assertEqual(names, [room["name"] for room in self.good("GET", f"rooms?{query}")], query)
        for query in ("colour=red", "disabled=yes", "filter=a&filter=b", "filter", "filter=%ff"):
            self.assertEqual((400, "invalid-request"), self.refusal("GET", f"rooms?{query}"), query)
        self.assertEqual((404, "no-such-node"), self.refusal("GET", "rooms?category=none"))

    def test_addins(self) -> None:
        """Add-ins are registered, shown, changed and removed; rooms keep theirs unless forced."""
        page = {"name": "Wiki", "url": "https://wiki.example.com/"}
        made = self.good("POST", "addins", page)
        self.assertEqual(page, {key: made[key] for key in page})
        self.assertEqual((409, "duplicate-name"), self.refusal("POST", "addins", page))
        self.assertEqual((400, "invalid-request"), self.refusal("POST", "addins", {"name": "Board"}))
        self.assertEqual(400, self.refusal("POST", "addins", {"name": "Board", "url": "file:///etc"})[0])
        self.category()
        self.room("Lobby", addin="Wiki")
        changed = self.good("PATCH", "addins/Wiki", {"url": "http://wiki.example.com/"})
        self.assertEqual(("http://wiki.example.com/", 1), (changed["url"], changed["number_of_chat_rooms"]))
        self.assertEqual([changed], self.good("GET", "addins"))
        self.assertEqual(changed, self.good("GET", f"addins/{made['guid']}"))
        self.assertEqual(["Lobby"], [room["name"] for room in self.good("GET", "rooms?addin=wiki")])
        self.assertEqual(400, self.refusal("DELETE", "addins/Wiki")[0])
        self.assertEqual((204, None), self.call("DELETE", "addins/Wiki?force=true"))
        self.assertIsNone(self.good("GET", "rooms/Lobby")["addin"])
        self.assertEqual((404, "no-such-node"), self.refusal("GET", "addins/Wiki"))

    def test_roles(self) -> None:
        """People are put on and taken from role lists, all of those named or none."""
        for name in ("alice", "bob"):
            self.user(name)
        self.category()
        self.room("Hall", type="auditorium")
        both = {"principals": ["bob@example.com", "sip:alice@example.com"]}
        granted = {"granted_by": ACTOR, "granted_on": "2023-11-14T22:13:20.0000000Z"}
        alice, bob = (
            {"uri": f"sip:{name}@example.com", "kind": "user", **granted} for name in ("alice", "bob")
        )
        for role in ("member", "manager", "presenter"):
            self.assertEqual([alice, bob], self.good("POST", f"rooms/Hall/roles/{role}", both))
            self.assertEqual([alice, bob], self.good("GET", f"rooms/Hall/roles/{role}"))
        self.assertEqual(
            (409, "principals-already-defined"), self.refusal("POST", "rooms/Hall/roles/member", both)
        )
        some = {"principals": ["alice@example.com", "nobody@example.com"]}
        self.assertEqual(404, self.refusal("POST", "rooms/Hall/roles/manager/remove", some)[0])
        self.assertEqual([alice, bob], self.good("GET", "rooms/Hall/roles/manager"))
        self.assertEqual([], self.good("POST", "rooms/Hall/roles/manager/remove", both))
        self.assertEqual((404, "no-such-resource"), self.refusal("GET", "rooms/Hall/roles/king"))
        self.assertEqual(
            (400, "invalid-argument"), self.refusal("POST", "rooms/Hall/roles/manager", {"principals": []})
        )

    def test_odd_names(self) -> None:
        """A name is only a name: slashes, markup, Unicode and 256 characters come back as they went."""
        self.category()
        for name in ODD_NAMES:
            made = self.room(name)
            self.assertEqual(name, made["name"])
            address = f"rooms/{quote(name, safe='')}"
            self.assertEqual(made, self.good("GET", address))
            self.assertEqual(
                (409, "duplicate-name"),
                self.refusal("POST", "rooms", {"name": name.upper(), "category": "Work"}),
            )
            self.good("DELETE", address)

    def test_bad_names(self) -> None:
        """Names that cannot be shown, or are too long, are refused and change nothing."""
        self.category()
        for name in (
            "",
            "  ",
            "x" * 257,
            "x" * TEXT_CHARACTERS,
            "a\nb",
            "a\x1b[31mb",
            "a\x00",
            "\ud800",
            "\uffff",
        ):
            self.assertEqual(
                (400, "invalid-argument"), self.refusal("POST", "rooms", {"name": name, "category": "Work"})
            )
        self.assertEqual([], self.good("GET", "rooms"))
