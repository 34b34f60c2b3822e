"""The commands of the channel service, asked by somebody who should learn and change nothing by them."""

from __future__ import annotations

import json
from collections.abc import Callable

from twisted.internet.defer import ensureDeferred
from twisted.trial.unittest import SynchronousTestCase

from pchat.rooms.room import Role, Room
from pchat.testing.memory import now_or_never
from tests.rooms.service_support import ACTOR, Person, Reply, World, document
from tests.security.support import Attacker
from tests.security.test_rooms import NOWHERE, RoomsTestCase

URI = "ma-chan://example.com/{}"
#: Each command that names a room, as somebody who may not know the room asks it.
QUESTIONS = {
    "getroles": '<chanib uri="{}"/>',
    "getperms": '<chanib uri="{}"/>',
    "getroster": '<chanib uri="{}"/>',
    "setread": '<chanib uri="{}"><read chatid="0"/></chanib>',
    "bcbydate": '<chanib uri="{}"/><bcq><text>buy</text></bcq>',
    "bcbymsg": '<chanib uri="{}"/><bcq><msgid id="1"/></bcq>',
    "chanmodify": '<chanib uri="{}" name="Mine" updatedon="2020-01-01T00:00:00Z"/>',
    "chanroles": '<chanib uri="{}"/><role type="MEMBER"><add uri="sip:mallory@example.com"/></role>',
    "prinsrch": '<qib qtype="FORROLE" role="MEMBER" uri="{}"/>',
}


class SecretRooms(RoomsTestCase):
    """No command tells a secret room from none, disabled or not, alone or among others."""

    def setUp(self) -> None:
        super().setUp()
        self.alice = Attacker(self.server, "alice").ready().joined(self.secret)
        self.alice.post(self.secret, "buy them, mallory")
        self.mallory = Attacker(self.server).ready()

    def assert_same(self, ask: Callable[[str], str]) -> None:
        """Ask about the secret room and about none, and compare all bits but what was asked."""
        there, nowhere = ask(self.secret), ask(NOWHERE)
        self.assertEqual(there.replace(self.secret, "GUID"), nowhere.replace(NOWHERE, "GUID"))
        self.assertNotIn("Takeover", there)
        self.assertNotIn("buy them", there)

    def assert_nothing_told(self) -> None:
        """Ask everything."""
        for name, data in QUESTIONS.items():
            self.assert_same(
                lambda guid, name=name, data=data: self.mallory.command(name, data.format(URI.format(guid)))  # type: ignore[misc]  # bound at once
            )

    def test_each_command(self) -> None:
        """Asked about it alone."""
        self.assert_nothing_told()

    def test_each_command_while_disabled(self) -> None:
        """Disabled rooms have an error of their own, which would tell that there is one."""
        now_or_never(self.rooms.disable_room(ACTOR, "Takeover"))
        self.assert_nothing_told()

    def test_among_others(self) -> None:
        """Asked about it beside a room that one may read."""
        lobby = URI.format(self.lobby)
        for name in ("bcbydate", "bcbymsg", "setread"):
            room, bcq, rest = QUESTIONS[name].partition("<bcq>")
            self.assert_same(
                lambda guid, name=name, room=room, rest=bcq + rest: self.mallory.command(  # type: ignore[misc]  # bound at once
                    name, room.format(lobby) + room.format(URI.format(guid)) + rest
                )
            )

    def test_searches_by_people(self) -> None:
        """Rooms of somebody else: those that he is a member of, manages, or is in at this moment."""
        now_or_never(self.rooms.add_role(ACTOR, "Takeover", Role.MANAGER, [self.alice.uri]))
        for qtype in ("BYMEMBER", "BYMANAGER", "BYUSERJOINED"):
            for limit in (1, -1):
                query = f'<qib qtype="{qtype}" criteria="{self.alice.uri}" maxResults="{limit}"/>'
                found = self.mallory.command("chansrch", query)
                self.assertNotIn("Takeover", found)
                self.assertNotIn("exceeded", found)
                hidden = self.mallory.command("chansrch", query.replace("/>", ' disabled="true"/>'))
                self.assertNotIn("chanib", hidden)

    def test_work(self) -> None:
        """No question about it asks the store more than one about nothing, so time tells nothing."""
        asked: list[object] = []

        def counted(call: Callable[..., object]) -> Callable[..., object]:
            def count(*args: object) -> object:
                asked.append(args)
                return call(*args)

            return count

        for kind in ("read", "write"):
            self.patch(self.server.store, kind, counted(getattr(self.server.store, kind)))
        for name, data in QUESTIONS.items():
            counts = []
            for guid in (self.secret, NOWHERE):
                asked.clear()
                self.mallory.command(name, data.format(URI.format(guid)))
                counts.append(len(asked))
            self.assertEqual(counts[0], counts[1], name)

    def test_a_name_that_is_taken(self) -> None:
        """The one thing that is told, to those alone who may make rooms: that a name is not free."""
        [category] = self.server.administration.categories.list_categories()
        data = f'<chanib name="takeover" parent="{category["uri"]}"/>'
        self.assertIn("ERROR_PERMISSION", self.mallory.command("chancreate", data))
        now_or_never(
            self.server.administration.categories.change_category(
                ACTOR, "All", creators=["sip:mallory@example.com"]
            )
        )
        refused = self.mallory.command("chancreate", data)
        self.assertIn("ERROR_DUPLICATE_NAME", refused)
        self.assertNotIn("Takeover", refused)
        self.assertNotIn(self.secret, refused)


class ManagerTestCase(SynchronousTestCase):
    """Mallory manages the room Desk in the category Demo; in Vault, where Alice is at home, she is nobody."""

    def setUp(self) -> None:
        self.world = World()
        self.addCleanup(self.world.server.stop)
        self.categories = self.world.administration.categories
        self.rooms = self.world.administration.rooms
        for name in ("alice", "bob", "mallory"):
            self.world.add_user(name)
        now_or_never(
            self.categories.add_category(
                ACTOR, "Vault", allowed=["sip:alice@example.com"], creators=["sip:alice@example.com"]
            )
        )
        self.desk = self.world.add_room("Desk", "closed", members=["bob", "mallory"])
        now_or_never(self.rooms.add_role(ACTOR, "Desk", Role.MANAGER, ["sip:mallory@example.com"]))
        self.safe = self.world.add_room("Safe", "secret", category="Vault")
        self.mallory = self.world.person("mallory")

    def uri(self, category: str) -> str:
        """Name a category as clients do."""
        return str(next(c["uri"] for c in self.categories.list_categories() if c["name"] == category))

    def refused(self, reply: Reply | None) -> str | None:
        """Return with what a command was refused, and see that nothing came with it."""
        assert reply is not None
        self.assertNotEqual(reply.code, 200)
        self.assertEqual(reply.data, [])
        return reply.symbol

    def change(self, **attributes: str) -> Reply | None:
        """Change the room Desk."""
        text = " ".join(f'{name}="{value}"' for name, value in attributes.items())
        return self.mallory.command("chanmodify", f'<chanib uri="{self.desk.uri}" {text}/>')

    def give(self, role: str, uri: str, room: Room | None = None) -> Reply | None:
        """Put somebody on a role list."""
        where = (room or self.desk).uri
        return self.mallory.command(
            "chanroles", f'<chanib uri="{where}"/><role type="{role}"><add uri="{uri}"/></role>'
        )


class Escalation(ManagerTestCase):
    """A manager who wants more."""

    def test_other_rooms(self) -> None:
        """She is a manager of hers alone."""
        for room, code in ((self.world.lobby, "ERROR_PERMISSION"), (self.safe, "ERROR_NO_SUCH_NODE")):
            self.assertEqual(self.refused(self.give("MANAGER", self.mallory.uri, room)), code)

    def test_moving(self) -> None:
        """A category that she is no creator of takes no room; one that she may not know is none at all."""
        now_or_never(self.categories.add_category(ACTOR, "Quiet", allowed=["example.com"]))
        nowhere = self.uri("Vault").rpartition("/")[0] + "/" + NOWHERE
        self.assertEqual(self.refused(self.change(parent=self.uri("Quiet"))), "ERROR_PERMISSION")
        self.assertEqual(self.refused(self.change(parent=self.uri("Vault"))), "ERROR_NO_SUCH_NODE")
        self.assertEqual(self.refused(self.change(parent=nowhere)), "ERROR_NO_SUCH_NODE")
        root = self.world.parts.base.tree.root_uri
        self.assertEqual(self.refused(self.change(parent=root)), "ERROR_NODE_HIERARCHY_VIOLATION")

    def test_a_refused_part_refuses_all(self) -> None:
        """A change that is half allowed changes nothing."""
        before = self.rooms.show_room("Desk")
        self.refused(self.change(name="Mine", visibility="OPEN", parent=self.uri("Vault")))
        self.refused(
            self.mallory.command(
                "chanroles",
                f'<chanib uri="{self.desk.uri}"/>'
                '<role type="MEMBER"><remove uri="sip:bob@example.com"/></role>'
                '<role type="MANAGER"><add uri="sip:nobody@example.com"/></role>',
            )
        )
        self.assertEqual(self.rooms.show_room("Desk"), before)

    def test_enabling(self) -> None:
        """A room that she disabled stays so, whatever else she changes in it."""
        self.change(disabled="true")
        self.assertEqual(self.refused(self.change(disabled="false")), "ERROR_PERMISSION")
        self.assertEqual(self.refused(self.change(disabled="false", name="Other")), "ERROR_PERMISSION")
        self.assertTrue(self.desk.disabled)

    def test_presenters(self) -> None:
        """Nobody presents in a normal room, and whoever is no member does not in an auditorium."""
        self.assertEqual(
            self.refused(self.give("PRESENTER", "sip:bob@example.com")), "ERROR_INVALID_ARGUMENT"
        )
        self.change(behavior="AUDITORIUM")
        refused = self.refused(self.give("PRESENTER", "sip:alice@example.com"))
        self.assertEqual(refused, "ERROR_PRESENTER_NOT_MEMBER")

    def test_lists_of_people_for_other_rooms(self) -> None:
        """Who could be given a role she asks of her own rooms and categories only."""
        for uri, code in (
            (self.world.lobby.uri, "ERROR_PERMISSION"),
            (self.safe.uri, "ERROR_NO_SUCH_NODE"),
            (self.uri("Demo"), "ERROR_PERMISSION"),
            (self.uri("Vault"), "ERROR_NO_SUCH_NODE"),
        ):
            reply = self.mallory.command("prinsrch", f'<qib qtype="FORROLE" role="MEMBER" uri="{uri}"/>')
            self.assertEqual(self.refused(reply), code)

    def test_waiting_for_the_lock(self) -> None:
        """What she asked while she was a manager and what comes to its turn after that is refused."""
        self.world.store.slow = {"_commit"}
        removal = self.rooms.remove_role(ACTOR, "Desk", Role.MANAGER, ["sip:mallory@example.com"])
        done = now_or_never_later(removal)
        for name, data in (
            ("chanmodify", f'<chanib uri="{self.desk.uri}" visibility="OPEN"/>'),
            ("chanroles", QUESTIONS["chanroles"].format(self.desk.uri).replace("MEMBER", "MANAGER")),
        ):
            self.mallory.info(f'<cmd id="cmd:{name}" seqid="1"><data>{data}</data></cmd>')
        self.world.store.slow = set()
        self.world.store.go()
        self.assertTrue(done())
        for name in ("chanmodify", "chanroles"):
            self.assertEqual(self.refused(self.mallory.reply(name)), "ERROR_PERMISSION")
        self.assertEqual((self.desk.privacy.word, self.desk.managers), ("closed", frozenset()))

    def test_a_name_that_is_the_guid_of_another_room(self) -> None:
        """An administrator who names a room by its GUID means that room, whatever others are called."""
        reply = self.change(name=self.world.lobby.guid)
        assert reply is not None
        self.assertEqual(self.rooms.show_room(self.world.lobby.guid)["name"], "Lobby")
        self.assertEqual(self.rooms.show_room(self.world.lobby.guid.upper())["name"], "Lobby")

    def test_names_that_look_the_same(self) -> None:
        """What cannot be seen makes no other name: another form, another case, invisible characters."""
        for name in ("LOBBY", "Lobby\u200b", "Lo\u00adbby", "\u2060Lobby", "Lobby\ufe0f", "L\u034fobby"):
            self.assertEqual(self.refused(self.change(name=name)), "ERROR_DUPLICATE_NAME", ascii(name))

    def test_names_that_show_nothing_or_something_else(self) -> None:
        """A name has something to see, and does not turn round what stands beside it."""
        for name in ("\u200b\u200b", "\u2060", "\u3164", "Lob\u202eyb", "\u2066Lobby\u2069", "\u202aLobby"):
            self.assertEqual(self.refused(self.change(name=name)), "ERROR_INVALID_ARGUMENT", ascii(name))


def now_or_never_later(work: object) -> Callable[[], bool]:
    """Begin something; returns what tells whether it is done."""
    done: list[object] = []
    ensureDeferred(work).addCallback(done.append)  # type: ignore[arg-type]  # a coroutine
    return lambda: bool(done)


class ComplianceTestCase(ManagerTestCase):
    """Everything that is read is recorded before it is answered, and recorded as it is answered."""

    def reads(self) -> list[dict[str, object]]:
        """Return what was recorded of reads."""
        return [json.loads(detail) for kind, _, _, detail in self.world.server.events() if kind == "read"]

    def ask_slowly(self, person: Person, name: str, data: str, kind: str) -> None:
        """Ask for something that the store does not answer yet."""
        self.world.store.slow = {kind}
        person.connection.send(
            person.write(
                "INFO",
                "Content-Type: text/plain",
                body=document(f'<cmd id="cmd:{name}" seqid="1"><data>{data}</data></cmd>'),
                to=person.inside,
            )
        )
        self.world.store.slow = set()

    def test_history_is_switched_off_meanwhile(self) -> None:
        """A room that is moved where nothing is kept shows nothing: record and reply say so."""
        now_or_never(
            self.categories.add_category(ACTOR, "Fleeting", allowed=["example.com"], chat_history=False)
        )
        self.mallory.join(self.desk)
        self.mallory.post(self.desk, "the price")
        for name, kind in (("bccontext", "last_messages"), ("bcbydate", "find_messages")):
            self.ask_slowly(self.mallory, name, f'<chanib uri="{self.desk.uri}"/>', kind)
            now_or_never(self.rooms.move_room(ACTOR, "Desk", "Fleeting"))
            self.world.store.go()
            reply = self.mallory.reply(name)
            assert reply is not None
            self.assertEqual((reply.code, len(reply.data[0])), (200, 0), name)
            self.assertEqual(self.reads()[-1]["chat_ids"], [], name)
            now_or_never(self.rooms.move_room(ACTOR, "Desk", "Demo"))

    def test_no_record_no_answer(self) -> None:
        """While reads cannot be recorded nothing is shown, by whatever command."""
        self.mallory.join(self.desk)
        self.mallory.post(self.desk, "the price, bob")
        self.world.store.away = {"record"}
        for name in ("bccontext", "bcbydate"):
            reply = self.mallory.command(name, f'<chanib uri="{self.desk.uri}"/>')
            self.assertEqual(self.refused(reply), "ERROR_DATABASE_CONNECTION")
        self.assertEqual(self.reads(), [])


class BadArguments(ManagerTestCase):
    """Arguments at the ends of what can be written, and beyond."""

    TIMES = (
        "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-12:00", "0000-01-01", "10000-01-01", "NaN", "-1",
        "1e9", "9999-12-31T23:59:60Z", "2020-02-30", "2020-01-01T25:00:00", "\uff12\uff10\uff12\uff10-01-01",
    )  # fmt: skip
    NUMBERS = ("9223372036854775808", "-1", "1e9", "\u0663", "0x10", "1.5", "NaN", "", "9" * 5_000)

    def test_times(self) -> None:
        """Times that are none, or that no clock of ours shows, are refused as such."""
        for time in self.TIMES:
            for name in ("from", "to"):
                data = f'<chanib uri="{self.desk.uri}"/><bcq><date {name}="{time}"/></bcq>'
                reply = self.mallory.command("bcbydate", data)
                self.assertEqual(self.refused(reply), "ERROR_INVALID_ARGUMENT", time)
            self.assertEqual(
                self.refused(self.change(name="X", updatedon=time)), "ERROR_INVALID_ARGUMENT", time
            )
        self.assertEqual(self.desk.name, "Desk")

    def test_numbers(self) -> None:
        """So are numbers."""
        room = self.desk.uri
        for number in self.NUMBERS:
            for name, data in {
                "bcbymsg": f'<chanib uri="{room}"/><bcq><msgid id="{number}"/></bcq>',
                "bcbydate": f'<chanib uri="{room}"/><bcq><limit cnt="{number}"/></bcq>',
                "setread": f'<chanib uri="{room}"><read chatid="{number}"/></chanib>',
                "getinv": f'<inv inviteId="{number}"/>',
                "getpref": f'<pref label="a" seqid="{number}" createdefault="true"/>',
                "setpref": f'<pref label="a" seqid="{number}" content=""/>',
                "settopic": f'<topic name="a" version="{number}"><word>abc</word></topic>',
            }.items():
                reply = self.mallory.command(name, data)
                self.assertEqual(self.refused(reply), "ERROR_INVALID_ARGUMENT", f"{name} {number[:20]}")

    def test_largest_numbers(self) -> None:
        """The largest that the store can hold is a number like any other."""
        largest = 2**63 - 1
        for name, data, code in (
            ("bcbymsg", f'<chanib uri="{self.desk.uri}"/><bcq><msgid id="{largest}"/></bcq>', 200),
            ("getinv", f'<inv inviteId="{largest}"/>', 200),
            ("chansrch", f'<qib qtype="BYNAME" criteria="" maxResults="{largest}"/>', 200),
            ("settopic", f'<topic name="a" version="{largest}"><word>abc</word></topic>', 409),
            ("setpref", f'<pref label="a" seqid="{largest}" content=""/>', 400),
        ):
            reply = self.mallory.command(name, data)
            assert reply is not None
            self.assertEqual(reply.code, code, name)

    def test_doubled_and_missing(self) -> None:
        """Commands without their arguments, or with each of them twice, are refused and change nothing."""
        before = self.rooms.show_room("Desk")
        for name, data in QUESTIONS.items():
            filled = data.format(self.desk.uri)
            for wrong in ("", filled.replace("uri=", "url="), "<x/>" * 100):
                self.assertEqual(
                    self.refused(self.mallory.command(name, wrong)), "ERROR_INVALID_ARGUMENT", name
                )
        for name in ("getroles", "getperms", "getroster", "chanmodify", "chanroles", "prinsrch", "setread"):
            twice = QUESTIONS[name].format(self.desk.uri) * 2
            self.assertEqual(self.refused(self.mallory.command(name, twice)), "ERROR_INVALID_ARGUMENT", name)
        self.assertEqual(self.rooms.show_room("Desk"), before)
        self.assertFalse(self.mallory.closed)
