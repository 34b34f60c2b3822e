"""Secret rooms, rights that are gone, and messages with another's name on them."""

from __future__ import annotations

from typing import Any

from lxml import etree
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from pchat.rooms.room import Role
from pchat.sip.message import Request, Response
from pchat.testing.memory import now_or_never
from tests.security.support import ACTOR, POOL, XCCOS, Attacker, add_room, chanid, make_server

NOWHERE = "00000000-0000-4000-8000-000000000000"
HOSTILE_NAME = "\"><x a='&amp;'>evil]]>"


class RoomsTestCase(SynchronousTestCase):
    """Alice and Bob are members of the secret room; Mallory, in scope, is not."""

    def setUp(self) -> None:
        self.server = make_server()
        self.addCleanup(self.server.stop)
        self.secret = add_room(self.server, "Takeover", "secret")
        self.rooms = self.server.administration.rooms
        friends = ["sip:alice@example.com", "sip:bob@example.com"]
        now_or_never(self.rooms.add_role(ACTOR, "Takeover", Role.MEMBER, friends))
        self.lobby = add_room(self.server, "Lobby")

    def remove_member(self, name: str) -> None:
        """Take somebody's membership of the secret room."""
        now_or_never(self.rooms.remove_role(ACTOR, "Takeover", Role.MEMBER, [f"sip:{name}@example.com"]))


class SecretRooms(RoomsTestCase):
    """Nothing may tell a secret room from one that does not exist."""

    def setUp(self) -> None:
        super().setUp()
        self.alice = Attacker(self.server, "alice").ready().joined(self.secret)
        self.assertEqual(self.alice.post(self.secret, "we buy them").status, 200)
        self.mallory = Attacker(self.server).ready()

    def assert_same(self, ask: Any) -> None:
        """Ask about the secret room and about none, and compare all bits but what was asked."""
        there = ask(self.secret)
        nowhere = ask(NOWHERE)
        self.assertEqual(there.replace(self.secret, "GUID"), nowhere.replace(NOWHERE, "GUID"))
        self.assertNotIn("Takeover", there)

    def test_join(self) -> None:
        """Joining it."""
        self.assert_same(lambda guid: self.mallory.command("join", chanid(guid)))

    def test_join_in_capitals(self) -> None:
        """Joining it under another spelling of its GUID."""
        self.assert_same(lambda guid: self.mallory.command("join", chanid(guid.upper())).lower())

    def test_bulk_join(self) -> None:
        """Joining it with others, or alone; the failure is named alike."""
        self.assert_same(lambda guid: self.mallory.command("bjoin", chanid(guid)))
        self.assert_same(lambda guid: self.mallory.command("bjoin", chanid(guid) + chanid(guid)))
        self.mallory.joined(self.lobby)
        self.assert_same(lambda guid: self.mallory.command("bjoin", chanid(self.lobby) + chanid(guid)))

    def test_history(self) -> None:
        """Reading it."""
        query = '<chanib uri="ma-chan://example.com/{}"/><bcq><last cnt="5"/></bcq>'
        self.assert_same(lambda guid: self.mallory.command("bccontext", query.format(guid)))

    def test_part(self) -> None:
        """Leaving it."""
        self.assert_same(lambda guid: self.mallory.command("part", chanid(guid)))
        uri = '<chanib uri="ma-chan://example.com/{}"/>'
        self.assert_same(lambda guid: self.mallory.command("part", uri.format(guid)))

    def test_post(self) -> None:
        """Posting into it."""

        def told(guid: str) -> str:
            answer = self.mallory.post(guid)
            return f"{answer.status} {answer.reason} {[name for name, _ in answer.headers]} {answer.body!r}"

        self.assert_same(told)

    def test_search(self) -> None:
        """Searching for it: neither the list nor its mark of being cut counts it."""
        for words in ("Takeover", "take", "", self.secret):
            query = f'<qib qtype="BYNAME" criteria="{words}" extended="true" maxResults="1"/>'
            found = self.mallory.command("chansrch", query)
            self.assertNotIn("Takeover", found)
            self.assertNotIn("exceeded", found)

    def test_associations(self) -> None:
        """Asking for one's own rooms."""
        for kind in ("MEMBER", "MANAGER"):
            data = f'<association domain="example.com" type="{kind}" maxResults="100"/>'
            self.assertNotIn("Takeover", self.mallory.command("getassociations", data))

    def test_disabled(self) -> None:
        """It does not show while it is disabled either."""
        now_or_never(self.rooms.disable_room(ACTOR, "Takeover"))
        for name in ("join", "bjoin", "part"):
            self.assert_same(lambda guid, name=name: self.mallory.command(name, chanid(guid)))

    def test_notices(self) -> None:
        """Nobody outside hears who comes and goes in it."""
        Attacker(self.server, "bob").ready().joined(self.secret)
        self.mallory.take()
        self.assertEqual(self.mallory.heard(self.secret), 0)

    def test_same_work_for_both(self) -> None:
        """Both questions ask the store equally often, so that time does not tell them apart."""
        store = self.server.store
        counts: dict[str, int] = {}
        for guid in (self.secret, NOWHERE):
            asked: list[object] = []
            read, write = store.read, store.write
            self.patch(store, "read", lambda *a, asked=asked, read=read: asked.append(a) or read(*a))
            self.patch(store, "write", lambda *a, asked=asked, write=write: asked.append(a) or write(*a))
            self.mallory.command("join", chanid(guid))
            self.mallory.command("bjoin", chanid(guid))
            self.mallory.command("bccontext", f'<chanib uri="ma-chan://example.com/{guid}"/>')
            counts[guid] = len(asked)
        self.assertEqual(counts[self.secret], counts[NOWHERE])


class HeldStore:
    """Holds back what the store was asked for, as a busy disk does; `release` lets it go in order."""

    def __init__(self, case: SynchronousTestCase, store: Any) -> None:
        self._held: list[tuple[Any, tuple[Any, ...], Deferred[Any]]] = []
        for name in ("read", "write", "append"):
            case.patch(store, name, self._later(getattr(store, name)))
        self._holding = True

    def _later(self, call: Any) -> Any:
        def later(*args: Any) -> Any:
            if not self._holding:
                return call(*args)
            waiting: Deferred[Any] = Deferred()
            self._held.append((call, args, waiting))
            return waiting

        return later

    def release(self) -> None:
        """Do all that waits, and hold nothing back from now on."""
        self._holding = False
        held, self._held = self._held, []
        for call, args, waiting in held:
            call(*args).chainDeferred(waiting)


class RightsThatAreGone(RoomsTestCase):
    """What was asked before a right was lost, and is done after."""

    def held(self, client: Attacker, *bodies: str) -> HeldStore:
        """Let a client ask while the store is slow."""
        store = HeldStore(self, self.server.store)
        for body in bodies:
            client.info(body)
        return store

    def remove_bob(self, store: HeldStore) -> None:
        """Take Bob's membership while his requests wait."""
        store._holding = False
        self.remove_member("bob")

    def replies(self, client: Attacker) -> str:
        """Collect what came."""
        client.take()
        return " ".join(m.body.decode() for m in client.received if isinstance(m, Request))

    def test_posts_in_flight(self) -> None:
        """A post that was decided before the removal and not committed is refused."""
        alice = Attacker(self.server, "alice").ready().joined(self.secret)
        bob = Attacker(self.server, "bob").ready().joined(self.secret)
        store = self.held(bob, *[bob.post_body(self.secret, f"late {n}") for n in range(3)])
        self.remove_bob(store)
        store.release()
        bob.take()
        statuses = [m.status for m in bob.received if isinstance(m, Response)][-3:]
        self.assertEqual(statuses, [403, 403, 403])
        self.assertEqual(alice.heard("late"), 0)

    def test_join_in_flight(self) -> None:
        """A join that waits for the store while the right goes is refused, and nobody is left in the room."""
        bob = Attacker(self.server, "bob").ready()
        body = (
            f'<xccos ver="1" envid="7" xmlns="{XCCOS}"><cmd id="cmd:join" seqid="1">'
            f"<data>{chanid(self.secret)}</data></cmd></xccos>"
        )
        store = self.held(bob, body)
        self.remove_bob(store)
        store.release()
        self.assertIn("ERROR_NO_SUCH_NODE", self.replies(bob))
        alice = Attacker(self.server, "alice").ready().joined(self.secret)
        alice.post(self.secret, "gone?")
        self.assertEqual(bob.heard("gone?"), 0)
        kinds = [event[0] for event in self.server.events() if event[1] == "sip:bob@example.com"]
        self.assertEqual(kinds.count("join"), kinds.count("part"))

    def test_history_in_flight(self) -> None:
        """What was read before the removal is not handed out after it."""
        alice = Attacker(self.server, "alice").ready().joined(self.secret)
        alice.post(self.secret, "the price")
        bob = Attacker(self.server, "bob").ready()
        body = (
            f'<xccos ver="1" envid="7" xmlns="{XCCOS}"><cmd id="cmd:bccontext" seqid="1"><data>'
            f'<chanib uri="ma-chan://example.com/{self.secret}"/></data></cmd></xccos>'
        )
        store = self.held(bob, body)
        self.remove_bob(store)
        store.release()
        self.assertIn("ERROR_NO_SUCH_NODE", self.replies(bob))
        self.assertNotIn("the price", self.replies(bob))

    def test_removed(self) -> None:
        """After the removal he neither reads nor posts, and is told of the kick only."""
        alice = Attacker(self.server, "alice").ready().joined(self.secret)
        bob = Attacker(self.server, "bob").ready().joined(self.secret)
        self.remove_member("bob")
        bob.take()
        bob.received.clear()
        self.assertEqual(alice.post(self.secret, "without bob").status, 200)
        self.assertEqual(bob.post(self.secret).status, 403)
        self.assertEqual(bob.heard("without bob"), 0)

    def test_disabled_account(self) -> None:
        """All connections of a disabled account are closed, and posts that wait are refused."""
        bob = Attacker(self.server, "bob").ready().joined(self.lobby)
        alice = Attacker(self.server, "alice").ready().joined(self.lobby)
        store = self.held(bob, bob.post_body(self.lobby, "too late"))
        store._holding = False
        now_or_never(self.server.administration.people.disable_user(ACTOR, "sip:bob@example.com"))
        self.assertTrue(bob.closed)
        store.release()
        self.assertEqual(alice.heard("too late"), 0)
        self.assertEqual(Attacker(self.server, "bob").register().status, 403)

    def test_open_room_never_joined(self) -> None:
        """Being allowed to join is not being in: posts without a join are refused."""
        self.assertEqual(Attacker(self.server).ready().post(self.lobby).status, 403)

    def test_posting_through_the_dialog_of_another(self) -> None:
        """Our tag of Alice's dialog opens nothing on Mallory's connection."""
        alice = Attacker(self.server, "alice").ready().joined(self.secret)
        mallory = Attacker(self.server).ready()
        forgeries: tuple[dict[str, Any], ...] = (
            {"from_": f"<{alice.uri}>;tag={alice.tag}", "call_id": alice.call_id, "cseq": 900},
            {"from_": f"<{mallory.uri}>;tag={alice.tag}", "call_id": alice.call_id, "cseq": 900},
            {"call_id": alice.call_id, "cseq": 900},
            {},
        )
        for forged in forgeries:
            answer = mallory.post(self.secret, to=f"<{POOL}>;tag={alice.remote_tag}", **forged)
            self.assertIn(answer.status, {403, 481})
        for method in ("BYE", "UPDATE", "INVITE"):
            answer = mallory.ask(
                method, to=f"<{POOL}>;tag={alice.remote_tag}", call_id=alice.call_id, cseq=901,
                from_=f"<{mallory.uri}>;tag={alice.tag}",
            )  # fmt: skip
            self.assertEqual(answer.status, 481)
        self.assertEqual(alice.heard("hello"), 0)
        self.assertEqual(alice.post(self.secret).status, 200)

    def test_two_users_with_one_call_id(self) -> None:
        """Equal Call-IDs, tags and branches of two users do not mix their dialogs."""
        alice, mallory = Attacker(self.server, "alice"), Attacker(self.server)
        for client in (alice, mallory):
            client.call_id, client.tag, client.number = "same", "same", 1
            client.ready()
        alice.joined(self.secret)
        self.assertEqual(mallory.post(self.secret).status, 403)
        alice.post(self.secret, "for us")
        self.assertEqual(mallory.heard("for us"), 0)


class Forgeries(RoomsTestCase):
    """Messages that pretend, and texts that break out of where they stand."""

    def delivered(self, client: Attacker) -> Any:
        """Return the last grpchat that came, parsed strictly."""
        client.take()
        bodies = [m.body for m in client.received if isinstance(m, Request) and b"<grpchat" in m.body]
        return etree.fromstring(bodies[-1])[0]

    def test_author_time_and_number(self) -> None:
        """Author, display name, time and chatId are the server's, whatever the post claims."""
        alice = Attacker(self.server, "alice").ready().joined(self.lobby)
        mallory = Attacker(self.server).ready().joined(self.lobby)
        claims = 'author="sip:alice@example.com" authdisp="Alice" ts="1999-01-01T00:00:00Z" chatId="999" '
        self.assertEqual(mallory.post(self.lobby, "I resign", claims).status, 200)
        element = self.delivered(alice)
        self.assertEqual(element.get("author"), "sip:mallory@example.com")
        self.assertNotEqual(element.get("authdisp"), "Alice")
        self.assertEqual(element.get("chatId"), "1")
        self.assertTrue(element.get("ts").startswith("2026-"))

    def test_markup_in_the_text(self) -> None:
        """A text that looks like the end of its element arrives as that text."""
        alice = Attacker(self.server, "alice").ready().joined(self.lobby)
        text = "</chat></grpchat><grpchat author='x'>]]>&#1;&amp;\u202e\u2028\"'"
        escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        self.assertEqual(alice.post(self.lobby, escaped).status, 200)
        self.assertEqual(self.delivered(alice).findtext("{*}chat"), text)

    def test_control_characters_in_the_text(self) -> None:
        """What XML forbids is refused with the whole post."""
        alice = Attacker(self.server, "alice").ready().joined(self.lobby)
        for text in ("\0", "\x01", "&#0;", "&#1;", "&#xFFFE;", "&#xD800;", "\ufffe", "\x1b[2J"):
            self.assertEqual(alice.post(self.lobby, text).status, 400, text)

    def test_two_posts_in_one_envelope(self) -> None:
        """One answer cannot promise two posts, so they are refused."""
        alice = Attacker(self.server, "alice").ready().joined(self.lobby)
        post = alice.post_body(self.lobby)
        both = post.replace("</xccos>", post[post.index("<grpchat") :])
        [answer] = alice.info(both)
        self.assertEqual(getattr(answer, "status", 0), 400)

    def test_hostile_room_names(self) -> None:
        """A room name may hold markup; every document that shows it is well-formed and has it whole."""
        guid = add_room(self.server, HOSTILE_NAME)
        alice = Attacker(self.server, "alice").ready()
        for reply in (
            alice.command("join", chanid(guid)),
            alice.command("chansrch", '<qib qtype="BYNAME" criteria="evil" extended="false"/>'),
            alice.command("bccontext", f'<chanib uri="ma-chan://example.com/{guid}"/>'),
        ):
            names = [element.get("name") for element in etree.fromstring(reply.encode()).iter("{*}chanib")]
            self.assertEqual(names, [HOSTILE_NAME])

    def test_hostile_display_names(self) -> None:
        """Display names with quotes, markup and direction marks break neither SIP nor XML."""
        people = self.server.administration.people
        name = '"Eve" <sip:alice@example.com>;tag=1 \u202e&<x>'
        now_or_never(people.add_user(ACTOR, "sip:eve@example.com", display_name=name))
        eve = Attacker(self.server, "eve").ready().joined(self.lobby)
        alice = Attacker(self.server, "alice").ready().joined(self.lobby)
        self.assertEqual(eve.post(self.lobby, "hi").status, 200)
        self.assertEqual(self.delivered(alice).get("authdisp"), name)
        self.assertEqual(self.delivered(alice).get("author"), "sip:eve@example.com")

    def test_names_with_line_ends_are_never_accepted(self) -> None:
        """Administration takes no control characters into names."""
        for name in ("a\r\nX: y", "a\nb", "a\0b", "a\x1b[2Jb"):
            with self.assertRaises(Exception):  # noqa: B017  # whichever refusal
                add_room(self.server, name)
            with self.assertRaises(Exception):  # noqa: B017
                now_or_never(
                    self.server.administration.people.add_user(
                        ACTOR, "sip:zoe@example.com", display_name=name
                    )
                )

    def test_hostile_identifiers_come_back_harmless(self) -> None:
        """Tags, epid, Contact and Record-Route of the INVITE are echoed to their sender on one line each."""
        alice = Attacker(self.server, "alice")
        alice.register()
        response = alice.invite(
            "Record-Route: <sip:proxy;lr>",
            'User-Agent: "\\"><x>\u202e',
            from_=f'<{alice.uri}>;tag="a;b>c\\"d";epid="x\\"> y"',
            call_id="<>\"'%0d%0aX:y",
        )
        self.assertEqual(response.status, 200)
        came = alice.info(
            f'<xccos ver="1" envid="7" xmlns="{XCCOS}"><cmd id="cmd:requri" seqid="1"/></xccos>',
            from_=f'<{alice.uri}>;tag="a;b>c\\"d"',
            call_id="<>\"'%0d%0aX:y",
        )
        for message in came:
            self.assertNotIn("X", message.headers)

    def test_identifiers_of_an_envelope(self) -> None:
        """envid and seqid are echoed, so they must be harmless; a command's name is too."""
        alice = Attacker(self.server, "alice").ready()
        for body in (
            '<xccos ver="1" envid="&quot;&gt;"><cmd id="cmd:requri" seqid="1"/></xccos>',
            '<xccos ver="1" envid="1"><cmd id="cmd:requri" seqid="&lt;x/&gt;"/></xccos>',
            '<xccos ver="1" envid="1"><cmd id="cmd:&lt;x/&gt;" seqid="1"/></xccos>',
            f'<xccos ver="1" envid="1"><cmd id="cmd:{"a" * 100}" seqid="1"/></xccos>',
        ):
            [answer] = alice.info(body)
            self.assertEqual(getattr(answer, "status", 0), 400, body)

    def test_methods_that_are_none(self) -> None:
        """Names of commands reach no other attribute of the service."""
        alice = Attacker(self.server, "alice").ready()
        for name in ("__init__", "_log_refusal", "run", "room_removed", "JOIN2", "cmd_join"):
            self.assertIn("ERROR_MSG_NOT_SUPPORTED", alice.command(name))
