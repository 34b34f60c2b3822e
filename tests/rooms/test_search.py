"""Finding rooms: what one may see, in order, and no more than asked for."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pchat.rooms.room import Role
from pchat.testing.memory import now_or_never
from tests.rooms.service_support import ACTOR, Reply, World


class Searching(SynchronousTestCase):
    """Alice looks for rooms."""

    def setUp(self) -> None:
        self.world = World()
        self.alice = self.world.person("alice")

    def search(self, criteria: str, more: str = "") -> Reply:
        """Look for rooms."""
        reply = self.alice.command("chansrch", f'<qib qtype="BYNAME" criteria="{criteria}" {more}/>')
        assert reply is not None
        return reply

    def mine(self, kind: str, more: str = "") -> Reply:
        """Ask for the own rooms."""
        reply = self.alice.command("getassociations", f'<association type="{kind}" {more}/>')
        assert reply is not None
        return reply

    def names(self, reply: Reply) -> list[str]:
        """Names of the rooms found."""
        self.assertEqual(reply.code, 200)
        return [str(block.get("name")) for block in reply.named("chanib")]

    def test_part_of_the_name(self) -> None:
        """Words are found anywhere in a name, in whatever case and Unicode form they are written."""
        self.world.add_room("Straße nach Zürich")
        self.world.add_room("Zoo")
        self.assertEqual(self.names(self.search("ZU\u0308RICH")), ["Straße nach Zürich"])
        self.assertEqual(self.names(self.search("STRASSE")), ["Straße nach Zürich"])
        self.assertEqual(self.names(self.search(" zoo ")), ["Zoo"])
        self.assertEqual(self.names(self.search("100%")), [])

    def test_order(self) -> None:
        """Rooms come in the order of their names, not of their making."""
        for name in ("beta", "Alpha", "Gamma"):
            self.world.add_room(name)
        self.assertEqual(self.names(self.search("")), ["Alpha", "beta", "Gamma", "Lobby"])

    def test_descriptions(self) -> None:
        """Descriptions are searched only when that is asked for."""
        self.world.add_room("Kitchen", description="recipes and dishes")
        self.assertEqual(self.names(self.search("recipes")), [])
        self.assertEqual(self.names(self.search("recipes", 'extended="true"')), ["Kitchen"])

    def test_what_may_not_be_seen(self) -> None:
        """Closed rooms are shown to all in scope; secret and disabled ones, and other scopes, are not."""
        self.world.add_room("Closed", "closed")
        self.world.add_room("Secret", "secret")
        self.world.add_room("Mine", "secret", ["alice"])
        self.world.add_room("Disabled")
        now_or_never(self.world.administration.rooms.disable_room(ACTOR, "Disabled"))
        now_or_never(self.world.administration.categories.add_category(ACTOR, "Others"))
        self.world.add_room("Elsewhere", category="Others")
        self.assertEqual(self.names(self.search("")), ["Closed", "Lobby", "Mine"])

    def test_limit(self) -> None:
        """The search limit, or a lower wish, bounds the reply, which tells that there is more."""
        for number in range(4):
            self.world.add_room(f"Room {number}")
        reply = self.search("room", 'maxResults="2"')
        self.assertEqual(self.names(reply), ["Room 0", "Room 1"])
        self.assertEqual(len(reply.data), 3)
        reply = self.search("room", 'maxResults="4"')
        self.assertEqual((len(self.names(reply)), len(reply.data)), (4, 4))
        settings = self.world.administration.settings
        now_or_never(settings.set_setting(ACTOR, "search-limit", "3"))
        reply = self.search("room", 'maxResults="1000"')
        self.assertEqual((len(self.names(reply)), len(reply.data)), (3, 4))

    def test_own_rooms(self) -> None:
        """The lists of own rooms: in scope of an open room is membership, a manager is one by name only."""
        self.world.add_room("Closed", "closed", ["alice"])
        self.world.add_room("Foreign", "closed")
        self.world.add_room("Led", "closed")
        rooms = self.world.administration.rooms
        now_or_never(rooms.add_role(ACTOR, "Led", Role.MANAGER, ["sip:alice@example.com"]))
        self.assertEqual(self.names(self.mine("MEMBER")), ["Closed", "Lobby"])
        self.assertEqual(self.names(self.mine("MANAGER")), ["Led"])
        self.assertEqual(self.names(self.mine("MEMBER", 'maxResults="1"')), ["Closed"])

    def test_people_of_groups(self) -> None:
        """Who belongs to a list by a group or his domain is found as one of the list."""
        self.world.add_user("bob")
        groups = self.world.administration.groups
        now_or_never(groups.add_group(ACTOR, "Traders", members=["sip:bob@example.com"]))
        self.world.add_room("Pit", "closed")
        rooms = self.world.administration.rooms
        now_or_never(rooms.add_role(ACTOR, "Pit", Role.MEMBER, ["Traders"]))
        now_or_never(rooms.add_role(ACTOR, "Pit", Role.MANAGER, ["example.com"]))
        for kind in ("BYMEMBER", "BYMANAGER"):
            reply = self.alice.command("chansrch", f'<qib qtype="{kind}" criteria="sip:BOB@example.com"/>')
            assert reply is not None
            self.assertIn("Pit", self.names(reply))

    def test_words(self) -> None:
        """All words, any word, or the phrase; in names, or in name and description together."""
        self.world.add_room("Night shift", description="who is on call")
        for criteria, more, found in (
            ("shift night", "", []),
            ("shift night", 'matchall="true"', ["Night shift"]),
            ("shift call", 'matchall="true"', []),
            ("shift call", 'matchall="true" extended="true"', ["Night shift"]),
            ("lobby call", 'matchall="false"', ["Lobby"]),
            ("lobby CALL", 'matchall="false" extended="true"', ["Lobby", "Night shift"]),
            ("call night", 'matchexact="true" matchall="false" extended="true"', []),
            ("  ", 'matchall="true"', ["Lobby", "Night shift"]),
        ):
            self.assertEqual(self.names(self.search(criteria, more)), found, (criteria, more))

    def test_disabled_rooms(self) -> None:
        """A manager finds the disabled rooms he manages by every kind of search; others do not."""
        self.world.add_room("Mine", "closed")
        self.world.add_room("Other", "closed", ["alice"])
        rooms = self.world.administration.rooms
        now_or_never(rooms.add_role(ACTOR, "Mine", Role.MANAGER, [self.alice.uri]))
        for name in ("Mine", "Other", "Lobby"):
            now_or_never(rooms.disable_room(ACTOR, name))
        category = self.world.lobby.category.uri
        for query in (
            'criteria="mi"',
            f'qtype="BYMANAGER" criteria="{self.alice.uri}"',
            f'qtype="BYCATEGORY" criteria="{category}"',
        ):
            for disabled, found in (("true", ["Mine"]), ("false", [])):
                reply = self.alice.command("chansrch", f'<qib {query} disabled="{disabled}"/>')
                assert reply is not None
                self.assertEqual(self.names(reply), found, query)
        self.assertEqual(self.names(self.mine("MANAGER")), [])

    def test_bad_questions(self) -> None:
        """A question that cannot be understood is refused by name."""
        for more in ('maxResults="0"', 'extended="perhaps"'):
            self.assertEqual(self.search("", more).symbol, "ERROR_INVALID_ARGUMENT")
        self.assertEqual(self.search("x" * 300).symbol, "ERROR_INVALID_ARGUMENT")
