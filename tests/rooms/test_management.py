"""Rooms made and changed by users: what is told of rooms that one may not know, and what a refusal leaves."""

from __future__ import annotations

from lxml import etree
from twisted.trial.unittest import SynchronousTestCase

from pchat import ticks
from pchat.rooms import slices
from pchat.rooms.room import Role
from pchat.testing.memory import now_or_never
from tests.rooms.service_support import ACTOR, Person, Reply, World, document

ALICE = "sip:alice@example.com"
NOWHERE = "ma-chan://example.com/00000000-0000-0000-0000-000000000000"
#: Every command about rooms, with arguments that are right and arguments that are wrong in some way that only
#: shows when the room is looked at, or somebody in it.
QUESTIONS = (
    ("getroster", '<chanib uri="{room}"/>'),
    ("getroles", '<chanib uri="{room}"/>'),
    ("getperms", '<chanib uri="{room}"/>'),
    ("chanmodify", '<chanib uri="{room}" name="Other"/>'),
    ("chanmodify", '<chanib uri="{room}" name=""/>'),
    ("chanmodify", '<chanib uri="{room}" name="Lobby"/>'),
    ("chanmodify", '<chanib uri="{room}" siopid="00000000-0000-0000-0000-000000000000"/>'),
    ("chanmodify", '<chanib uri="{room}" parent="{category}"/>'),
    ("chanmodify", '<chanib uri="{room}" parent="{root}"/>'),
    ("chanmodify", '<chanib uri="{room}" disabled="true"/>'),
    ("chanmodify", '<chanib uri="{room}" disabled="false"/>'),
    ("chanmodify", '<chanib uri="{room}" updatedon="2020-01-01T00:00:00Z"/>'),
    ("chanmodify", '<chanib uri="{room}" visibility="SECRET"/>'),
    ("chanroles", '<chanib uri="{room}"/><role type="MEMBER"><add uri="sip:bob@example.com"/></role>'),
    ("chanroles", '<chanib uri="{room}"/><role type="MEMBER"><remove uri="sip:bob@example.com"/></role>'),
    ("chanroles", '<chanib uri="{room}"/><role type="MEMBER"><add uri="sip:nobody@example.com"/></role>'),
    ("chanroles", '<chanib uri="{room}"/><role type="PRESENTER"><add uri="sip:bob@example.com"/></role>'),
    ("chanroles", '<chanib uri="{room}"/>'),
    ("prinsrch", '<qib qtype="FORROLE" role="MEMBER" uri="{room}"/>'),
    ("prinsrch", '<qib qtype="FORROLE" role="PRESENTER" uri="{room}" criteria="bob"/>'),
    ("part", '<chanib uri="{room}"/>'),
    ("join", '<chanid key="0" domain="example.com" value="{guid}"/>'),
    ("bjoin", '<chanid key="0" domain="example.com" value="{guid}"/>'),
    ("bccontext", '<chanib uri="{room}"/>'),
)


class Managing(SynchronousTestCase):
    """Alice, who may make rooms in Demo, and Bob, who may not."""

    def setUp(self) -> None:
        self.world = World()
        self.rooms = self.world.administration.rooms
        self.tree = self.world.parts.base.tree
        for name in ("alice", "bob"):
            self.world.add_user(name)
        now_or_never(self.world.administration.categories.change_category(ACTOR, "Demo", creators=[ALICE]))
        self.alice, self.bob = self.world.person("alice"), self.world.person("bob")

    def ask(self, person: Person, command: str, data: str) -> Reply:
        """Let somebody ask something."""
        reply = person.command(command, data)
        assert reply is not None
        return reply

    def appoint(self, room: str, role: Role, *names: str) -> None:
        """Give a role."""
        now_or_never(self.rooms.add_role(ACTOR, room, role, [f"sip:{name}@example.com" for name in names]))


class UnknownRooms(Managing):
    """A secret room is, to who may not know it, none."""

    def said(self, person: Person, command: str, data: str, uri: str) -> str:
        """Ask about a room, and give the reply without what the question named itself."""
        category = self.tree.category_by_name("Demo")
        assert category is not None
        guid = uri.rpartition("/")[2]
        person.info(
            f'<cmd id="cmd:{command}" seqid="1"><data>'
            + data.format(room=uri, guid=guid, category=category.uri, root=self.tree.root_uri)
            + "</data></cmd>"
        )
        heard = [etree.tostring(element).decode() for element in person.hear()]
        return "\n".join(heard).replace(guid, "GUID")

    def test_every_command(self) -> None:
        """Each answer about a secret room, disabled or not, is that about a room that does not exist."""
        vault = self.world.add_room("Vault", "secret", ["alice"])
        self.appoint("Vault", Role.MANAGER, "alice")
        self.alice.join(vault)
        for disabled in (False, True):
            if disabled:
                now_or_never(self.rooms.disable_room(ACTOR, "Vault"))
            for command, data in QUESTIONS:
                there = self.said(self.bob, command, data, vault.uri)
                self.assertIn("<resp", there)
                self.assertEqual(there, self.said(self.bob, command, data, NOWHERE), (command, data))

    def test_searches(self) -> None:
        """No search tells of it, whatever it is searched by."""
        vault = self.world.add_room("Vault", "secret", ["alice"])
        self.appoint("Vault", Role.MANAGER, "alice")
        self.alice.join(vault)
        self.alice.join(self.world.lobby)
        for kind in ("BYMEMBER", "BYMANAGER", "BYUSERJOINED"):
            found = self.ask(self.bob, "chansrch", f'<qib qtype="{kind}" criteria="{ALICE}"/>')
            self.assertNotIn("Vault", [block.get("name") for block in found.named("chanib")])
            found = self.ask(self.alice, "chansrch", f'<qib qtype="{kind}" criteria="{ALICE}"/>')
            self.assertIn("Vault", [block.get("name") for block in found.named("chanib")])

    def test_for_whom_it_is_there(self) -> None:
        """The same questions have other answers for its members and managers: the test above can fail."""
        vault = self.world.add_room("Vault", "secret", ["alice"])
        for command in ("getroster", "getroles", "getperms"):
            self.assertEqual(self.ask(self.alice, command, f'<chanib uri="{vault.uri}"/>').code, 200)


class Refusals(Managing):
    """Whoever may not, changes nothing."""

    def test_nothing_changes(self) -> None:
        """A member who is no manager: after every question each room is what it was, with the same stamp."""
        ops = self.world.add_room("Ops", "closed", ["bob"], behavior="auditorium")
        before = self.rooms.show_room("Ops")
        self.world.clock.advance(1)
        for command, data in QUESTIONS:
            if command.startswith("chan") or command == "prinsrch":
                category = ops.category.uri
                filled = data.format(room=ops.uri, guid=ops.guid, category=category, root=self.tree.root_uri)
                self.assertNotEqual(self.ask(self.bob, command, filled).code, 200, (command, data))
        self.assertEqual(self.rooms.show_room("Ops"), before)

    def test_all_or_nothing(self) -> None:
        """One attribute that cannot be, and the others are not changed either."""
        ops = self.world.add_room("Ops", "closed", ["bob"])
        self.appoint("Ops", Role.MANAGER, "alice")
        before = self.rooms.show_room("Ops")
        self.world.clock.advance(1)
        for wrong in ('name="Lobby"', f'parent="{self.tree.root_uri}"', 'updatedon="2020-01-01T00:00:00Z"'):
            data = f'<chanib uri="{ops.uri}" description="new" visibility="OPEN" {wrong}/>'
            self.assertNotEqual(self.ask(self.alice, "chanmodify", data).code, 200)
        self.assertEqual(self.rooms.show_room("Ops"), before)

    def test_the_store_is_away(self) -> None:
        """A change that could not be kept is told as such, and is none."""
        ops = self.world.add_room("Ops", "closed")
        self.appoint("Ops", Role.MANAGER, "alice")
        self.world.store.away.add("_commit")
        data = f'<chanib uri="{ops.uri}" description="new"/>'
        self.assertEqual(self.ask(self.alice, "chanmodify", data).symbol, "ERROR_DATABASE_CONNECTION")
        self.assertEqual(ops.description, "")


class TwoManagers(Managing):
    """Two who change the same room at once."""

    def test_the_second_is_told(self) -> None:
        """Who read the room before the other's change is told so; with what he then reads he succeeds."""
        ops = self.world.add_room("Ops", "closed")
        self.appoint("Ops", Role.MANAGER, "alice", "bob")
        read_at = ticks.to_iso(ops.updated_on)
        self.world.clock.advance(1)
        data = f'<chanib uri="{ops.uri}" description="{{}}" updatedon="{{}}"/>'
        self.assertEqual(self.ask(self.alice, "chanmodify", data.format("Alice's", read_at)).code, 200)
        refused = self.ask(self.bob, "chanmodify", data.format("Bob's", read_at))
        self.assertEqual(refused.symbol, "ERROR_DATA_COLLISION")
        self.assertEqual(ops.description, "Alice's")
        read_at = ticks.to_iso(ops.updated_on)
        self.assertEqual(self.ask(self.bob, "chanmodify", data.format("Bob's", read_at)).code, 200)
        self.assertEqual((ops.description, ops.updated_by), ("Bob's", "sip:bob@example.com"))

    def test_roles_count_as_a_change(self) -> None:
        """A room whose lists were changed is not the one that was read."""
        ops = self.world.add_room("Ops", "closed")
        self.appoint("Ops", Role.MANAGER, "alice")
        read_at = ticks.to_iso(ops.updated_on)
        self.world.clock.advance(1)
        self.world.add_member("Ops", "bob")
        data = f'<chanib uri="{ops.uri}" description="x" updatedon="{read_at}"/>'
        self.assertEqual(self.ask(self.alice, "chanmodify", data).symbol, "ERROR_DATA_COLLISION")


class RightsThatFollow(Managing):
    """Rights change by groups and scopes too; whoever is in the room hears of it once."""

    def masks(self, person: Person) -> list[tuple[str, str]]:
        """Whose masks somebody was told of since he was last asked, and which."""
        told = [one for one in person.hear() if one.get("id") == "ntc:roles"]
        users = [user for notice in told for user in notice.iter("{*}uib")]
        return [(str(user.get("uri")), str(user[0].get("key"))) for user in users]

    def test_by_a_group(self) -> None:
        """Who comes to a group that manages the room, and leaves it again."""
        groups = self.world.administration.groups
        now_or_never(groups.add_group(ACTOR, "Leads"))
        now_or_never(self.rooms.add_role(ACTOR, "Lobby", Role.MANAGER, ["Leads"]))
        home = self.world.person("bob")
        for person in (self.alice, self.bob, home):
            person.join(self.world.lobby)
        for person in (self.alice, self.bob, home):
            person.hear()
        for change, mask in ((groups.add_members, "11652"), (groups.remove_members, "3456")):
            now_or_never(change(ACTOR, "Leads", ["sip:bob@example.com"]))
            for person in (self.alice, self.bob, home):
                self.assertEqual(self.masks(person), [("sip:bob@example.com", mask)])

    def test_nothing_is_told_of_nothing(self) -> None:
        """A role that adds no right, and a change of the description, cause no such notice."""
        for person in (self.alice, self.bob):
            person.join(self.world.lobby)
            person.hear()
        self.appoint("Lobby", Role.MEMBER, "bob")
        now_or_never(self.rooms.change_room(ACTOR, "Lobby", description="new"))
        self.assertEqual((self.masks(self.alice), self.masks(self.bob)), ([], []))

    def test_an_older_client(self) -> None:
        """pidgin-sipe is told the mask by which it knows an operator."""
        sipe = self.world.connect("carol")
        sipe.agent = "Sipe/1.25.0"
        self.assertEqual((sipe.register().status, sipe.invite().status), (200, 200))
        for person in (sipe, self.bob):
            person.join(self.world.lobby)
        sipe.hear()
        self.appoint("Lobby", Role.MANAGER, "bob")
        self.assertEqual(self.masks(sipe), [("sip:bob@example.com", "12276")])


class LongSearches(Managing):
    """A search among very many people lets others be served in between."""

    def setUp(self) -> None:
        super().setUp()
        self.patch(slices, "SLICE", 2)
        for name in ("carol", "dave", "erin"):
            self.world.add_user(name)

    def begin(self, data: str) -> None:
        """Let Alice begin a search; nothing happens after its first slice until somebody reads."""
        body = document(f'<cmd id="cmd:prinsrch" seqid="1"><data>{data}</data></cmd>')
        request = self.alice.write("INFO", "Content-Type: text/plain", body=body, to=self.alice.inside)
        self.alice.connection.send(request)

    def finish(self) -> Reply:
        """Let Alice read until she is answered."""
        reply = self.alice.reply("prinsrch")
        assert reply is not None
        return reply

    def test_everybody_is_looked_at(self) -> None:
        """People of every slice are found, in order."""
        self.begin('<qib qtype="USERS" criteria="example"/>')
        names = [str(one.get("uname")) for one in self.finish().named("uib")]
        self.assertEqual(names, ["alice", "bob", "carol", "dave", "erin"])

    def test_enough_is_enough(self) -> None:
        """A search that found as many as it may looks no further."""
        self.begin('<qib qtype="USERS" criteria="example" maxResults="1"/>')
        reply = self.finish()
        self.assertEqual([len(reply.named("uib")), len(reply.named("limit"))], [1, 1])

    def test_a_right_lost_meanwhile(self) -> None:
        """Who is no manager any more when the search goes on is told nothing."""
        ops = self.world.add_room("Ops", "closed")
        self.appoint("Ops", Role.MANAGER, "alice")
        self.begin(f'<qib qtype="FORROLE" role="MEMBER" uri="{ops.uri}"/>')
        now_or_never(self.rooms.remove_role(ACTOR, "Ops", Role.MANAGER, [ALICE]))
        reply = self.finish()
        self.assertEqual((reply.symbol, reply.data), ("ERROR_PERMISSION", []))


class Rosters(Managing):
    """The roster of a large room is rendered once for many who ask, and always true."""

    def roster(self) -> tuple[list[str], dict[str, str]]:
        """Ask who is in the lobby: addresses, and lists by mask."""
        reply = self.ask(self.alice, "getroster", f'<chanib uri="{self.world.lobby.uri}"/>')
        [room] = reply.named("chanib")
        masks = {one.get("key", ""): one.get("value", "") for one in room if one.tag.endswith("}aib")}
        return [str(one.get("uri")) for one in reply.named("uib")], masks

    def test_follows_what_changes(self) -> None:
        """Who comes, who goes and who gets other rights shows in the next reply."""
        now_or_never(self.world.administration.settings.set_setting(ACTOR, "search-limit", "1"))
        carol = self.world.person("carol")
        for person in (self.alice, self.bob, carol):
            person.join(self.world.lobby)
        names = [person.uri for person in (self.alice, self.bob, carol)]
        self.assertEqual(self.roster(), (names, {"3456": "0,1,2"}))
        self.assertEqual(self.roster(), (names, {"3456": "0,1,2"}))
        self.appoint("Lobby", Role.MANAGER, "carol")
        self.assertEqual(self.roster(), (names, {"3456": "0,1", "11652": "2"}))
        self.bob.part(self.world.lobby)
        self.assertEqual(self.roster(), ([names[0], names[2]], {"3456": "0", "11652": "1"}))
        people = self.world.administration.people
        now_or_never(people.change_user(ACTOR, "sip:carol@example.com", display_name="Caroline"))
        reply = self.ask(self.alice, "getroster", f'<chanib uri="{self.world.lobby.uri}"/>')
        self.assertEqual([one.get("disname") for one in reply.named("uib")], ["Alice", "Caroline"])
