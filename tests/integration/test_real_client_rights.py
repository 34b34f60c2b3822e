"""What pidgin-sipe shows to whom a room is closed, and that no byte of the room reaches him from then on."""

from __future__ import annotations

import pytest

from pchat.client.endpoint import Endpoint
from tests.integration.real_client_case import RealClientCase, guid_of, notice
from tests.real_client.remote import RealClient
from tests.real_client.traffic import history_replies, live_deliveries

pytestmark = pytest.mark.real_client

ALICE, BOB = (f"sip:{name}@example.com" for name in ("alice", "bob"))
RECONNECT_SECONDS = 0.3


class Refused(RealClientCase):
    """Who may not join is told why."""

    def test_reasons(self) -> None:
        """Each refused join is shown as an error with the server's word for it, and opens no window."""
        add = ("room", "add")
        self.server.ctl("category", "add", "Elsewhere", "--allow", ALICE)
        rooms = {
            "not a member": self.rooms["Ops"],
            "out of scope": self.server.ctl(*add, "Far", "--category", "Elsewhere", "--privacy", "open")[
                "uri"
            ],
            "disabled": self.make_room("Shut", "--disabled"),
            "secret": self.server.ctl(*add, "Cabal", "--category", "Demo", "--privacy", "secret")["uri"],
            "removed": self.make_room("Demolished"),
        }
        self.server.ctl("room", "remove", "Demolished", "--yes")
        carol = self.client("carol")
        carol.sign_in()
        self.assertEqual(
            {reason: self.refusal(carol, uri) for reason, uri in rooms.items()},
            {
                "not a member": "ERROR_PERMISSION",
                "out of scope": "ERROR_PERMISSION",
                "disabled": "ERROR_NODE_DISABLED",
                "secret": "ERROR_NO_SUCH_NODE",
                "removed": "ERROR_NO_SUCH_NODE",
            },
        )
        self.assertEqual(carol.seen("joined"), [])
        received = "".join(message.body for message in carol.traffic() if message.way == "in")
        for uri in rooms.values():
            self.assertNotIn(guid_of(uri), received)


class PutOut(RealClientCase):
    """Who was put out of a room: Bob, while Alice, a manager, stays."""

    def room_of_both(self, name: str, *members: str, privacy: str = "closed", category: str = "Demo") -> str:
        """Make a room in which both have talked, and return its URI."""
        uri: str = self.server.ctl("room", "add", name, "--category", category, "--privacy", privacy)["uri"]
        lists = [part for member in (ALICE, *members) for part in ("--member", member)]
        self.server.ctl("room", "set", name, "--manager", ALICE, *lists)
        self.bob = self.in_room("bob", uri)
        self.alice = self.endpoint("alice")
        self.alice.join(uri)
        self.alice.say(uri, "while he was there")
        self.bob.expect("message", uri=uri, text="while he was there")
        return uri

    def go_on(self, alice: Endpoint, uri: str) -> None:
        """Let those who are still in the room do everything that makes the server tell of it."""
        alice.say(uri, "behind his back")
        alice.command("part", f'<chanib uri="{uri}"/>')
        alice.join(uri)
        alice.command("chanmodify", f'<chanib uri="{uri}" description="without Bob"/>')
        alice.say(uri, "and more")

    def noticed(self, name: str, uri: str) -> int:
        """Wait for the notice that puts Bob out, and return where in his traffic the silence begins."""
        self.bob.expect("sip", way="in", text=notice(name, uri))
        self.bob.forget("message", "room-notice", "user-joined", "user-left")
        end = f'<ntc id="ntc:{name}"'
        return next(i for i, message in enumerate(self.bob.traffic()) if end in message.body) + 1

    def assert_shut_out(self, uri: str, begin: int, code: str) -> None:
        """Bob sees that he cannot post, and why he cannot join; meanwhile nothing of the room came.

        Args:
            uri: The room; its window is still open.
            begin: Where in his traffic the silence began.
            code: What he is told when he tries to join.
        """
        bob = self.bob
        bob.command("send", uri=uri, text="may I?")
        shown = bob.expect("room-notice", uri=uri, flags=["error"])
        self.assertRegex(shown["text"], r"^This message was not delivered to chat room '.*':\nmay I\?$")
        # The refusal came after whatever was on its way to him.
        came = [message for message in bob.traffic()[begin:] if message.way == "in"]
        self.assertEqual([message for message in came if guid_of(uri) in repr(message) or message.body], [])
        for event in ("message", "room-notice", "user-joined", "user-left"):
            self.assertEqual(bob.unseen(event), [])
        self.leave(bob, uri)
        self.assertEqual(self.refusal(bob, uri), code)

    def put_out(self, uri: str, *change: str, code: str = "ERROR_PERMISSION") -> None:
        """Put Bob out of a room by a change that leaves Alice in it, and check that he is out."""
        self.server.ctl(*change)
        begin = self.noticed("kick", uri)
        self.go_on(self.alice, uri)
        self.assert_shut_out(uri, begin, code)

    def assert_back(self, uri: str, *missed: str) -> None:
        """He joins again, sees what he missed, and takes part."""
        self.assertEqual(self.join_again(self.bob, uri), ["while he was there", *missed])
        self.bob.command("send", uri=uri, text="back again")
        self.bob.expect("message", uri=uri, text="back again")
        self.assert_each_once(self.bob)

    def test_role_taken(self) -> None:
        """A member is taken from the list of a closed room, and put back on it."""
        room = self.room_of_both("Closed", BOB)
        self.put_out(room, "room", "member", "remove", "Closed", BOB)
        self.server.ctl("room", "member", "add", "Closed", BOB)
        self.assert_back(room, "behind his back", "and more")

    def test_secret_role_taken(self) -> None:
        """A member is taken from the list of a secret room: from then on it does not exist for him."""
        room = self.room_of_both("Secret", BOB, privacy="secret")
        self.put_out(room, "room", "member", "remove", "Secret", BOB, code="ERROR_NO_SUCH_NODE")
        self.assertNotIn("Secret", self.bob.rooms())
        self.server.ctl("room", "member", "add", "Secret", BOB)
        self.assert_back(room, "behind his back", "and more")

    def test_group_left(self) -> None:
        """The group that made him a member loses him, and gets him back."""
        self.server.ctl("group", "add", "Writers", "--member", BOB)
        room = self.room_of_both("Journal", "Writers")
        self.put_out(room, "group", "member", "remove", "Writers", BOB)
        self.server.ctl("group", "member", "add", "Writers", BOB)
        self.assert_back(room, "behind his back", "and more")

    def test_scope_narrowed(self) -> None:
        """The category denies him, which takes his role for good; he must be made a member once more."""
        self.server.ctl("category", "add", "Narrow", "--allow", "example.com")
        room = self.room_of_both("Strait", BOB, category="Narrow")
        self.put_out(room, "category", "set", "Narrow", "--deny", BOB)
        self.server.ctl("category", "set", "Narrow", "--deny", "")
        self.assertEqual(self.refusal(self.bob, room), "ERROR_PERMISSION")
        self.server.ctl("room", "member", "add", "Strait", BOB)
        self.assert_back(room, "behind his back", "and more")

    def test_moved(self) -> None:
        """The room moves to a category in whose scope he is not, and comes back."""
        self.server.ctl("category", "add", "Abroad", "--allow", ALICE)
        room = self.room_of_both("Caravan", privacy="open")
        self.put_out(room, "room", "move", "Caravan", "--category", "Abroad")
        self.server.ctl("room", "move", "Caravan", "--category", "Demo")
        self.assert_back(room, "behind his back", "and more")

    def test_privacy_narrowed(self) -> None:
        """An open room is closed, and he is no member."""
        room = self.room_of_both("Plaza", privacy="open")
        self.put_out(room, "room", "set", "Plaza", "--privacy", "closed")
        self.server.ctl("room", "set", "Plaza", "--privacy", "open")
        self.assert_back(room, "behind his back", "and more")

    def test_disabled(self) -> None:
        """A disabled room is silent for everybody; once enabled, all is as it was."""
        room = self.room_of_both("Theatre", BOB)
        self.server.ctl("room", "disable", "Theatre")
        begin = self.noticed("chandisable", room)
        self.server.ctl("room", "set", "Theatre", "--description", "closed for repairs")
        self.assert_shut_out(room, begin, "ERROR_NODE_DISABLED")
        self.assertNotIn("Theatre", self.bob.rooms())
        self.server.ctl("room", "enable", "Theatre")
        self.assert_back(room)

    def test_removed(self) -> None:
        """A removed room is gone, and was never there."""
        room = self.room_of_both("Ruin", BOB)
        self.server.ctl("room", "remove", "Ruin", "--yes")
        self.assert_shut_out(room, self.noticed("chandisable", room), "ERROR_NO_SUCH_NODE")


class Returning(RealClientCase):
    """Who comes back to his rooms after his connection was lost, and may not be in one of them any more."""

    def come_back(self, bob: RealClient) -> int:
        """Cut the connection, wait for the next one, and return where in the traffic it begins."""
        begin = len(bob.traffic())
        bob.forget("joined", "left", "sip")
        bob.command("drop")
        bob.expect("state", state="disconnected")
        bob.signed_in()
        return begin

    def test_one_room_lost(self) -> None:
        """His other rooms open again; that one is shown as left, and nothing of it comes."""
        lobby, room = self.rooms["Lobby"], self.make_room("Cloister")
        bob = self.in_room("bob", room, reconnect=RECONNECT_SECONDS)
        bob.join(lobby)
        alice = self.endpoint("alice")
        self.server.ctl("room", "set", "Cloister", "--privacy", "closed", "--member", ALICE)
        bob.expect("sip", way="in", text=notice("kick", room))
        begin = self.come_back(bob)
        bob.expect("joined", uri=lobby)
        for uri in (room, lobby):
            alice.join(uri)
            alice.say(uri, "is he back?")
        bob.expect("message", uri=lobby, text="is he back?")
        came = [message for message in bob.traffic()[begin:] if message.way == "in"]
        self.assertEqual([message for message in came if room in message.body], [])
        self.assertTrue(bob.users(room)["left"])
        self.assertFalse(bob.users(lobby)["left"])
        self.server.ctl("room", "member", "add", "Cloister", BOB)
        self.come_back(bob)
        bob.expect("joined", uri=room)
        bob.expect("message", uri=room, text="is he back?")
        self.assertFalse(bob.users(room)["left"])

    def test_only_room_lost(self) -> None:
        """If it was his only room, he is told as when he joins himself."""
        room = self.make_room("Hermitage")
        bob = self.in_room("bob", room, reconnect=RECONNECT_SECONDS)
        self.server.ctl("room", "disable", "Hermitage")
        bob.expect("sip", way="in", text=notice("chandisable", room))
        self.come_back(bob)
        shown = bob.expect("notify", kind="error", text="Error joining chat room")
        self.assertEqual(shown["detail"], "ERROR_NODE_DISABLED")
        self.assertTrue(bob.users(room)["left"])


class Presenting(RealClientCase):
    """Auditoriums."""

    def test_presenters_post(self) -> None:
        """In an auditorium a listener's post is refused, and he sees it; a presenter's reaches all."""
        hall = self.make_room("Hall", "--type", "auditorium")
        self.server.ctl("room", "presenter", "add", "Hall", BOB)
        bob, carol = (self.in_room(name, hall) for name in ("bob", "carol"))
        carol.command("send", uri=hall, text="from the floor")
        self.assertIn("not delivered", carol.expect("room-notice", uri=hall, flags=["error"])["text"])
        bob.command("send", uri=hall, text="from the stage")
        for client in (bob, carol):
            shown = client.expect("message", uri=hall)
            self.assertEqual((shown["who"], shown["text"]), (BOB, "from the stage"))
        self.server.ctl("room", "presenter", "remove", "Hall", BOB)
        bob.command("send", uri=hall, text="one word more")
        self.assertIn("not delivered", bob.expect("room-notice", uri=hall, flags=["error"])["text"])
        self.assertEqual([delivery.chat_id for delivery in live_deliveries(carol.traffic())], [1])


class TakenBack(RealClientCase):
    """Messages that an administrator takes back while somebody reads."""

    def read(self, name: str) -> tuple[str, Endpoint, RealClient]:
        """Make a room in which Bob has read three messages of Alice."""
        room = self.make_room(name)
        bob = self.in_room("bob", room)
        alice = self.endpoint("alice")
        alice.join(room)
        for text in ("good morning", "a nasty word", "good night"):
            alice.say(room, text)
            bob.expect("message", uri=room, text=text)
        return room, alice, bob

    def assert_unharmed(self, alice: Endpoint, bob: RealClient, room: str, history: list[str]) -> None:
        """The notice is not shown; talking goes on; who comes back sees the history as it is now."""
        alice.say(room, "let us go on")
        bob.expect("message", uri=room, text="let us go on")
        self.assertEqual(bob.unseen("message") + bob.unseen("notify"), [])
        self.assertEqual([event for event in bob.seen("room-notice") if "error" in event["flags"]], [])
        self.leave(bob, room)
        self.assertEqual(self.join_again(bob, room), [*history, "let us go on"])
        self.assertEqual([delivery.chat_id for delivery in live_deliveries(bob.traffic())], [1, 2, 3, 4])
        self.assertEqual(history_replies(bob.traffic())[-1][-1].chat_id, 4)
        self.assert_each_once(bob)

    def test_replaced(self) -> None:
        """The text of a message is replaced."""
        room, alice, bob = self.read("Edited")
        self.server.ctl("message", "replace", "Edited", "nasty", "--text", "a nice word", "--yes")
        bob.expect("sip", way="in", text=notice("msgreplaced", room))
        self.assert_unharmed(alice, bob, room, ["good morning", "a nice word", "good night"])

    def test_removed(self) -> None:
        """A message is removed."""
        room, alice, bob = self.read("Cut")
        self.server.ctl("message", "remove", "Cut", "nasty", "--yes")
        bob.expect("sip", way="in", text=notice("msgremoved", room))
        self.assert_unharmed(alice, bob, room, ["good morning", "good night"])

    def test_cleared(self) -> None:
        """The whole history goes."""
        room, alice, bob = self.read("Emptied")
        self.server.ctl("room", "clear", "Emptied", "--until", "2100-01-01", "--yes")
        bob.expect("sip", way="in", text=notice("msgremoved", room))
        self.assert_unharmed(alice, bob, room, [])

    def test_room_without_history(self) -> None:
        """What is said in a room without history is seen by those who are there, and never again."""
        self.server.ctl("category", "add", "Fleeting", "--allow", "example.com", "--no-history")
        room = self.server.ctl("room", "add", "Smoke", "--category", "Fleeting", "--privacy", "open")["uri"]
        bob = self.in_room("bob", room)
        bob.command("send", uri=room, text="gone with the wind")
        bob.expect("message", uri=room, text="gone with the wind")
        self.leave(bob, room)
        self.assertEqual(self.join_again(bob, room), [])
