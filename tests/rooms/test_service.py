"""The channel service: every command is answered, and every change of rights acts at once."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from pchat.errors import OutcomeUnknown
from pchat.interfaces import IStore
from pchat.rooms.observers import IChangeObserver
from pchat.rooms.search import Search
from pchat.sip.dialog import IDialogApplication
from pchat.testing.memory import now_or_never
from tests.rooms.service_support import ACTOR, Person, Reply, World, document, local


class Case(SynchronousTestCase):
    """Alice is signed in."""

    def setUp(self) -> None:
        self.world = World()
        self.lobby = self.world.lobby
        self.alice = self.world.person("alice")

    def settled(self, reply: Reply | None) -> Reply:
        """A reply that must have come."""
        assert reply is not None
        return reply

    def change_setting(self, name: str, text: str) -> None:
        """Let the administrator change a setting."""
        now_or_never(self.world.administration.settings.set_setting(ACTOR, name, text))


class Interfaces(Case):
    """What is plugged together fits."""

    def test_interfaces(self) -> None:
        """Service, session and the tests' store are what their users expect."""
        for observer in self.world.parts.channel.observers:
            verifyObject(IChangeObserver, observer)
        verifyObject(IDialogApplication, self.alice.session)
        verifyObject(IStore, self.world.store)


class Commands(Case):
    """Every command has exactly one reply."""

    def test_unknown(self) -> None:
        """A command that we do not have is refused by name, whatever it is called."""
        for name in ("createchan", "x", "__init__", "1", "a.b", "run"):
            self.assertEqual(self.settled(self.alice.command(name)).symbol, "ERROR_MSG_NOT_SUPPORTED", name)

    def test_bad_arguments(self) -> None:
        """A command without what it needs is refused, and the next one is served."""
        for name in ("join", "bjoin", "part", "bccontext", "getinv", "chansrch"):
            self.assertEqual(self.settled(self.alice.command(name)).symbol, "ERROR_INVALID_ARGUMENT", name)
        self.assertEqual(self.settled(self.alice.join(self.lobby)).code, 200)

    def test_a_bug(self) -> None:
        """A command that fails for a reason of ours is answered as well."""

        def broken(*_: Any) -> None:
            raise ZeroDivisionError

        self.patch(Search, "_answer", broken)
        reply = self.settled(self.alice.command("chansrch", '<qib criteria=""/>'))
        self.assertEqual(reply.symbol, "ERROR_UNKNOWN_SERVER_ERROR")
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual(self.settled(self.alice.command("requri")).code, 200)

    def test_doubt(self) -> None:
        """A store that cannot tell whether it wrote something is answered as one that is away."""
        self.world.store.slow = {"joined"}
        self.alice.join(self.lobby)

        async def doubtful(*_: Any) -> None:
            raise OutcomeUnknown("the server stopped")

        self.patch(self.world.store, "_waiting_calls", [])
        self.world.store.slow.clear()
        self.world.parts.channel.service._operations["join"] = doubtful
        phone = self.world.person("alice")
        self.assertEqual(self.settled(phone.join(self.lobby)).symbol, "ERROR_DATABASE_CONNECTION")

    def test_several_commands_in_one_envelope(self) -> None:
        """Commands of one envelope are answered in their order."""
        self.alice.info('<cmd id="cmd:requri" seqid="1"/><cmd id="cmd:nonsense" seqid="2"/>')
        replies = [one.get("id") for one in self.alice.hear() if local(one) == "rpl"]
        self.assertEqual(replies, ["rpl:requri", "rpl:nonsense"])

    def test_a_post_must_be_alone(self) -> None:
        """The one answer to an INFO cannot tell the fates of two posts, or of a post and a command."""
        post = f'<grpchat id="grpchat" seqid="1" chanUri="{self.lobby.uri}"><chat>hi</chat></grpchat>'
        for body in (post + post, post + '<cmd id="cmd:requri" seqid="1"/>'):
            [answer] = self.alice.info(body)
            self.assertEqual(answer.status, 400)
        self.assertEqual(self.alice.hear(), [])

    def test_no_xml(self) -> None:
        """What is no XCCOS is refused as such; the dialog goes on."""
        for body in ("", "hello", "<xccos", "<html><p/></html>", document("")):
            data = self.alice.write("INFO", "Content-Type: text/plain", body=body, to=self.alice.inside)
            [answer] = self.alice.send(data)
            self.assertEqual(answer.status, 400, body)
        self.assertEqual(self.settled(self.alice.command("requri")).code, 200)

    def test_unknown_elements(self) -> None:
        """An envelope that holds only what we do not know is taken and means nothing."""
        [answer] = self.alice.info("<poem/>")
        self.assertEqual((answer.status, self.alice.hear()), (200, []))

    def test_flood_of_commands(self) -> None:
        """Who asks faster than the store answers is not read for a while; all is answered in the end."""
        self.world.store.slow = {"last_messages"}
        self.alice.join(self.lobby)
        self.alice.hear()
        for _ in range(70):
            self.alice.history(self.lobby)
        transport = self.alice.connection.transport
        self.assertEqual(transport.producerState, "paused")
        while self.world.store.waiting:
            self.world.store.go()
            self.world.clock.advance(0)
        self.assertEqual(transport.producerState, "producing")
        self.assertEqual(len([one for one in self.alice.hear() if one.get("id") == "rpl:bccontext"]), 70)

    def test_hanging_up_within_a_flood(self) -> None:
        """When the dialog ends the connection is read again, so that the next dialog works."""
        self.world.store.slow = {"last_messages"}
        for _ in range(70):
            self.alice.history(self.lobby)
        self.alice.end_dialog()
        self.assertEqual(self.alice.connection.transport.producerState, "producing")
        self.assertEqual(self.alice.invite(call_id="second").status, 200)

    def test_what_the_server_tells_of_itself(self) -> None:
        """Limits are those in force."""
        self.change_setting("message-size-limit", "5000")
        [info] = self.settled(
            self.alice.command("getserverinfo", '<sib domain="example.com" infoType="7"/>')
        ).data
        self.assertIn("5000", [str(value) for value in info.attrib.values()])


class Changes(Case):
    """What administrators change acts at once on those who are in rooms."""

    def setUp(self) -> None:
        super().setUp()
        self.bob = self.world.person("bob")
        for person in (self.alice, self.bob):
            person.join(self.lobby)
        self.clear()

    def clear(self, *more: Person) -> None:
        """Forget what people heard."""
        for person in (self.alice, self.bob, *more):
            person.hear()

    def test_room_changed(self) -> None:
        """Everybody in a room sees its new description; nobody else hears of it."""
        carol = self.world.person("carol")
        carol.hear()
        now_or_never(self.world.administration.rooms.change_room(ACTOR, "Lobby", description="new"))
        self.assertEqual((self.alice.notices(), self.bob.notices()), (["ntc:chanmodify"], ["ntc:chanmodify"]))
        self.assertEqual(carol.hear(), [])

    def test_rights_of_some(self) -> None:
        """A room becomes closed: members stay, the others are put out, each once for all endpoints."""
        phone = self.world.person("bob")
        phone.join(self.lobby)
        self.world.add_member("Lobby", "alice")
        self.clear(phone)
        now_or_never(self.world.administration.rooms.change_room(ACTOR, "Lobby", privacy="closed"))
        self.assertIn("ntc:kick", self.bob.notices())
        self.assertIn("ntc:kick", phone.notices())
        self.assertEqual(self.alice.notices().count("ntc:part"), 1)
        self.assertEqual(self.world.events("part"), ["part bob Lobby kicked"])

    def test_room_removed(self) -> None:
        """A room that is disabled and removed tells everybody once."""
        rooms = self.world.administration.rooms
        now_or_never(rooms.disable_room(ACTOR, "Lobby"))
        now_or_never(rooms.remove_room(ACTOR, "Lobby"))
        self.assertEqual(self.alice.notices(), ["ntc:chandisable"])
        self.assertEqual(self.settled(self.alice.join(self.lobby)).symbol, "ERROR_NO_SUCH_NODE")

    def test_user_disabled(self) -> None:
        """A disabled user's connection is closed; he has left his rooms."""
        now_or_never(self.world.administration.people.disable_user(ACTOR, "sip:bob@example.com"))
        self.world.settle(self.bob)
        self.assertTrue(self.bob.closed)
        self.assertEqual(self.alice.notices(), ["ntc:part"])

    def test_participant_limit(self) -> None:
        """A lower limit makes a room large, where notices stop; a higher one brings everybody up to date."""
        self.change_setting("participant-update-limit", "1")
        carol = self.world.person("carol")
        reply = self.settled(carol.join(self.lobby))
        self.assertEqual(reply.named("uib"), [])
        self.assertEqual(self.alice.notices(), [])
        self.change_setting("participant-update-limit", "75")
        [told] = self.alice.hear()
        self.assertEqual([user.get("uri") for user in told[0]], ["sip:carol@example.com"])
        [told] = carol.hear()
        self.assertEqual(len(told[0]), 2)

    def test_ghosts_are_told(self) -> None:
        """Who left while the room was large is told as gone when it is no longer."""
        self.change_setting("participant-update-limit", "1")
        self.bob.part(self.lobby)
        self.assertEqual(self.alice.notices(), [])
        self.change_setting("participant-update-limit", "75")
        self.assertIn("sip:bob@example.com", self.everything_heard())

    def everything_heard(self) -> str:
        self.world.settle(self.alice)
        return " ".join(request.body.decode() for request in self.alice.requests)
