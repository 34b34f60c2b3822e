"""What pidgin-sipe shows of rooms and of those in them, and that what it does not know does it no harm."""

from __future__ import annotations

import re

import pytest

from tests.integration.real_client_case import HISTORY_REPLY, RealClientCase, notice
from tests.real_client.remote import RealClient
from tests.real_client.traffic import live_deliveries

pytestmark = pytest.mark.real_client

ALICE, BOB, CAROL = (f"sip:{name}@example.com" for name in ("alice", "bob", "carol"))
FILES = 0x1
"""The plug-in's flag for a room in which files may be posted; it tells it in its log only."""
MANY_ROOMS = 200


def shown(room: dict[str, object]) -> dict[str, object]:
    """Return what the client shows of a room in its list, apart from its address."""
    return {key: room[key] for key in ("description", "users", "private", "logged", "invite")}


class RoomList(RealClientCase):
    """The list of rooms, as the client shows it."""

    def flags_in_log(self, client: RealClient, name: str) -> int:
        """Return the flags that the plug-in last told of a room."""
        found = re.findall(rf"group chat channel '{name}': .* flags (0x[0-9a-f]+)", client.log())
        return int(found[-1], 16)

    def test_attributes(self) -> None:
        """Description, users, privacy, history, invitations and file posts are shown as they are."""
        self.server.ctl(
            *("category", "add", "Rich", "--allow", "example.com"),
            *("--file-upload", "--invitations", "--history"),
        )
        self.server.ctl(
            *("category", "add", "Bare", "--allow", "example.com"),
            *("--no-file-upload", "--no-invitations", "--no-history"),
        )
        rich = ("--category", "Rich", "--privacy")
        lively = self.server.ctl("room", "add", "Lively", *rich, "open", "--description", "Grüße & <b>")[
            "uri"
        ]
        self.server.ctl("room", "add", "Uninvited", *rich, "closed", "--invitations", "false")
        self.server.ctl("room", "add", "Conclave", *rich, "secret")
        self.server.ctl("room", "member", "add", "Conclave", CAROL)
        self.server.ctl("room", "add", "Forgetful", "--category", "Bare", "--privacy", "open")
        self.endpoint("alice").join(lively)
        carol = self.client("carol")
        carol.sign_in()
        found = carol.rooms()
        closed = {"description": "", "users": 0, "private": False, "logged": True, "invite": True}
        self.assertEqual(shown(found["Lively"]), closed | {"description": "Grüße & <b>", "users": 1})
        self.assertEqual(shown(found["Uninvited"]), closed | {"invite": False})
        self.assertEqual(shown(found["Conclave"]), closed | {"private": True})
        self.assertEqual(shown(found["Forgetful"]), closed | {"logged": False, "invite": False})
        self.assertTrue(self.flags_in_log(carol, "Lively") & FILES)
        self.assertFalse(self.flags_in_log(carol, "Forgetful") & FILES)

    def test_secret(self) -> None:
        """A secret room is in the list of its members and managers, and in nobody else's."""
        self.server.ctl("room", "add", "Cabal", "--category", "Demo", "--privacy", "secret")
        carol = self.client("carol")
        carol.sign_in()
        self.assertNotIn("Cabal", carol.rooms())
        self.server.ctl("room", "member", "add", "Cabal", CAROL)
        self.assertIn("Cabal", carol.rooms())
        self.server.ctl("room", "set", "Cabal", "--member", "", "--manager", CAROL)
        self.assertIn("Cabal", carol.rooms())
        self.server.ctl("room", "manager", "remove", "Cabal", CAROL)
        self.assertNotIn("Cabal", carol.rooms())

    def test_not_to_be_found(self) -> None:
        """Disabled rooms, and those of a category in whose scope the user is not, are not in his list."""
        self.server.ctl("room", "add", "Shut", "--category", "Demo", "--privacy", "open", "--disabled")
        self.server.ctl("category", "add", "Directors", "--allow", ALICE)
        self.server.ctl("room", "add", "Board", "--category", "Directors", "--privacy", "open")
        carol = self.client("carol")
        carol.sign_in()
        self.assertEqual({"Shut", "Board"} & carol.rooms().keys(), set())
        self.server.ctl("room", "enable", "Shut")
        self.assertIn("Shut", carol.rooms())

    def test_renamed(self) -> None:
        """A room that gets another name and an add-in goes on as it was; who comes back sees the new name."""
        room = self.make_room("Before")
        self.server.ctl("addin", "add", "Map", "https://map.example.com/")
        bob = self.in_room("bob", room)
        alice = self.endpoint("alice")
        alice.join(room)
        self.server.ctl("room", "set", "Before", "--name", "After", "--addin", "Map")
        bob.expect("sip", way="in", text=notice("chanmodify", room))
        self.server.ctl("addin", "set", "Map", "--url", "https://map.example.com/new")
        bob.expect("sip", way="in", text=notice("chanmodify", room))
        alice.say(room, "same room")
        self.assertEqual(bob.expect("message", uri=room)["text"], "same room")
        found = bob.rooms()
        self.assertEqual((found["After"]["uri"], found["After"]["users"]), (room, 2))
        self.assertNotIn("Before", found)
        self.leave(bob, room)
        self.assertEqual(self.join_again(bob, room), ["same room"])
        self.assertEqual(bob.users(room)["room"], "After")
        self.assertEqual(bob.unseen("notify"), [])

    def test_many(self) -> None:
        """All of two hundred rooms are listed, and one of them can be joined."""
        self.server.ctl("category", "add", "Many", "--allow", "example.com", "--creator", ALICE)
        parent = self.server.ctl("category", "show", "Many")["uri"]
        alice = self.endpoint("alice")
        names = {f"Room {number:03}" for number in range(MANY_ROOMS)}
        for name in names:
            alice.command("chancreate", f'<chanib name="{name}" parent="{parent}" visibility="OPEN"/>')
        bob = self.client("bob")
        bob.sign_in()
        found = bob.rooms()
        self.assertEqual({name for name in found if name.startswith("Room ")}, names)
        bob.join(found["Room 142"]["uri"])


class People(RealClientCase):
    """Who is shown in a room, and as what."""

    def test_manager(self) -> None:
        """A manager is shown as operator to those who are in the room when he comes, and to himself."""
        ops = self.rooms["Ops"]
        bob = self.in_room("bob", ops)
        alice = self.in_room("alice", ops)
        bob.expect("user-joined", uri=ops, who=ALICE)
        for client in (alice, bob):
            now = client.users(ops)
            self.assertEqual((now["users"], now["operators"]), ([ALICE, BOB], [ALICE]))

    def test_made_manager(self) -> None:
        """Who becomes manager while he is in the room is shown as operator once he has come back."""
        room = self.make_room("Promotion")
        alice, bob = (self.in_room(name, room) for name in ("alice", "bob"))
        self.server.ctl("room", "manager", "add", "Promotion", BOB)
        for client in (alice, bob):
            told = client.expect("sip", way="in", text=notice("roles", room))["text"]
            self.assertIn('key="12276"', told, "the mask by which the plug-in knows an operator")
            # It knows no such notice.
            self.assertEqual(client.users(room)["operators"], [])
        alice.forget("user-joined")
        self.leave(bob, room)
        bob.join(room)
        alice.expect("user-joined", uri=room, who=BOB)
        for client in (alice, bob):
            self.assertEqual(client.users(room)["operators"], [BOB])

    def test_group_in_a_group(self) -> None:
        """A member through a group in a group joins; when the inner group goes, he is out."""
        self.server.ctl("group", "add", "Team", "--member", CAROL)
        self.server.ctl("group", "add", "Company", "--member", "Team")
        room = self.server.ctl("room", "add", "Canteen", "--category", "Demo")["uri"]
        self.server.ctl("room", "set", "Canteen", "--member", "Company", "--manager", "Team")
        carol = self.in_room("carol", room)
        self.assertEqual(carol.users(room)["operators"], [CAROL])
        self.server.ctl("group", "member", "remove", "Company", "Team")
        carol.expect("sip", way="in", text=notice("kick", room))
        self.leave(carol, room)
        self.assertEqual(self.refusal(carol, room), "ERROR_PERMISSION")


class Unknown(RealClientCase):
    """Notices and attributes that the client never heard of."""

    def test_invitations(self) -> None:
        """Invitations are told at sign-in and live; the client asks for them and shows nothing."""
        self.server.ctl("category", "add", "Social", "--allow", "example.com", "--invitations")
        rooms = []
        for name in ("Waiting", "Lately"):
            rooms.append(self.server.ctl("room", "add", name, "--category", "Social")["uri"])
        self.server.ctl("room", "member", "add", "Waiting", BOB)
        bob = self.client("bob")
        bob.command("connect")
        bob.expect("state", state="connected")
        bob.expect("sip", way="out", text=re.compile(r'(?s)cmd:getinv.*<inv inviteId="1"'))
        listed = bob.expect("sip", way="in", text=re.compile(r"(?s)^INFO .*rpl:getinv"))["text"]
        self.assertIn(rooms[0], listed)
        self.server.ctl("room", "member", "add", "Lately", BOB)
        bob.expect("sip", way="in", text=notice("invite", rooms[1]))
        for room in rooms:
            bob.join(room)
        self.assertEqual(bob.unseen("notify"), [])

    def test_other_endpoint(self) -> None:
        """What another endpoint of the user reads and follows does not disturb him here."""
        room = self.make_room("Library")
        alice, other = self.endpoint("alice"), self.endpoint("bob")
        alice.join(room)
        for number in range(3):
            alice.say(room, f"page {number}")
        bob = self.client("bob")
        bob.sign_in()
        bob.join(room)
        joined = bob.expect("sip", way="in", text=re.compile(r"(?s)^INFO .*rpl:join"))["text"]
        self.assertIn('<info id="urn:pchat:info:unread">3</info>', joined)
        bob.expect("sip", way="in", text=HISTORY_REPLY)
        other.command("setread", f'<chanib uri="{room}"><read chatid="2"/></chanib>')
        bob.expect("sip", way="in", text=notice("read", room))
        other.command("settopic", '<topic name="Books" version="0"><word>page</word></topic>')
        alice.say(room, "another page")
        bob.expect("message", uri=room, text="another page")
        self.assertEqual([delivery.chat_id for delivery in live_deliveries(bob.traffic())], [4])
        feeds = [message for message in bob.traffic() if "ntc:topic" in message.body]
        self.assertEqual(feeds, [], "no word of feeds to a client that never asked for one")
        self.assertEqual(bob.unseen("notify") + bob.unseen("room-notice"), [])
