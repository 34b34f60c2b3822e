"""The arguments of the commands that find, make and change rooms: what is understood and what is refused."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree
from twisted.trial.unittest import SynchronousTestCase

from pchat import ticks
from pchat.errors import CommandRefused
from pchat.xccos import room_commands, search_commands
from pchat.xccos.arguments import RoomKey
from pchat.xccos.codes import ResponseCode
from pchat.xccos.limits import DEFAULT_COMMAND_LIMITS, CommandLimits
from pchat.xccos.parser import NAMESPACE
from pchat.xccos.reading import read_command
from pchat.xccos.room_commands import (
    CreateRoom,
    ModifyRoles,
    ModifyRoom,
    NoArguments,
    RoleSearch,
    RoleWish,
    RoomQuestion,
    RoomWishes,
    UserSearch,
)
from pchat.xccos.search_commands import Match, RoomSearch
from tests.xccos.samples import GUID, ROOM, command

KEY = RoomKey("example.com", GUID)
CATEGORY = "ma-cat://example.com/0c9f6d0e-6f3a-4f0f-9d0e-0d8f0a7c1b22"
CHANIB = f'<chanib uri="{ROOM}"/>'
ALICE, BOB = "sip:alice@example.com", "sip:bob@example.com"


class ReadersCase(SynchronousTestCase):
    """Shared assertions."""

    def read(self, name: str, content: str, limits: CommandLimits = DEFAULT_COMMAND_LIMITS) -> object:
        """Read the arguments of a command."""
        return read_command(command(name, f"<data>{content}</data>"), limits)

    def assert_refused(
        self, name: str, *contents: str, code: ResponseCode = ResponseCode.ERROR_INVALID_ARGUMENT
    ) -> None:
        """Expect every one of some arguments to be answered with a code."""
        for content in contents:
            error = self.assertRaises(CommandRefused, self.read, name, content)
            self.assertIs(error.code, code, content)


class Searching(ReadersCase):
    """``chansrch``."""

    def test_kinds(self) -> None:
        """Each kind is known in any case; all but the one by name need something to search by."""
        for kind in sorted(search_commands.SEARCH_KINDS - {"BYNAME"}):
            self.assertEqual(
                self.read("chansrch", f'<qib qtype="{kind.lower()}" criteria="{ALICE}"/>'),
                RoomSearch(kind, ALICE, False, None),
            )
            self.assert_refused(
                "chansrch",
                f'<qib qtype="{kind}"/>',
                f'<qib qtype="{kind}" criteria=" "/>',
                f'<qib qtype="{kind}" criteria="{"x" * 1_025}"/>',
            )

    def test_filters(self) -> None:
        """Filters narrow any search; what is not said narrows nothing."""
        found = self.read(
            "chansrch", '<qib visibility="open" behavior="Auditorium" invite="FALSE" disabled="true"/>'
        )
        self.assertEqual(
            found,
            RoomSearch(
                "BYNAME",
                "",
                False,
                None,
                visibility="OPEN",
                behavior="AUDITORIUM",
                invite=False,
                disabled=True,
            ),
        )
        self.assert_refused(
            "chansrch",
            '<qib visibility="closed"/>',
            '<qib visibility=""/>',
            '<qib behavior="loud"/>',
            f'<qib behavior="{"x" * 100}"/>',
            '<qib invite="maybe"/>',
            '<qib disabled="maybe"/>',
            '<qib matchall="most"/>',
            '<qib matchexact="almost"/>',
        )

    def test_words(self) -> None:
        """How words must be found; the exact phrase prevails, and is what is meant when nothing is said."""
        for attributes, match in (
            ("", Match.PHRASE),
            ('matchall="true"', Match.ALL),
            ('matchall="false"', Match.ANY),
            ('matchexact="false"', Match.PHRASE),
            ('matchexact="true" matchall="false"', Match.PHRASE),
        ):
            found = self.read("chansrch", f'<qib criteria="a b" {attributes}/>')
            self.assertEqual(found, RoomSearch("BYNAME", "a b", False, None, match=match))


class Questions(ReadersCase):
    """Commands that only ask."""

    def test_about_a_room(self) -> None:
        """A question about a room names exactly one."""
        for name in ("getroster", "getroles", "getperms"):
            self.assertEqual(self.read(name, CHANIB), RoomQuestion(KEY))
            self.assert_refused(name, "", CHANIB * 2, "<chanib/>", f'<chanib uri="{CATEGORY}"/>')

    def test_about_nothing(self) -> None:
        """Commands without arguments take whatever stands there."""
        for name in ("getaddins", "nodespermcreatechild"):
            self.assertEqual(self.read(name, ""), NoArguments())
            self.assertEqual(self.read(name, CHANIB * 2), NoArguments())

    def test_users(self) -> None:
        """People are looked for by a text that is not empty."""
        self.assertEqual(self.read("prinsrch", '<qib criteria=" ali "/>'), UserSearch("ali", None))
        self.assertEqual(
            self.read("prinsrch", '<qib qtype="users" criteria="ali" maxResults="3"/>'), UserSearch("ali", 3)
        )
        self.assert_refused(
            "prinsrch",
            "",
            "<qib/>",
            '<qib criteria="a"/><qib criteria="b"/>',
            '<qib qtype="USERS" criteria="  "/>',
            f'<qib qtype="USERS" criteria="{"x" * 257}"/>',
            '<qib qtype="USERS" criteria="a" maxResults="0"/>',
            '<qib qtype="GROUPS" criteria="a"/>',
        )

    def test_for_a_role(self) -> None:
        """Who may be given a role is asked for a room, or for a category before there is a room."""
        self.assertEqual(
            self.read("prinsrch", f'<qib qtype="FORROLE" role="member" uri="{ROOM}"/>'),
            RoleSearch("MEMBER", KEY, None, "", None),
        )
        self.assertEqual(
            self.read("prinsrch", f'<qib qtype="FORROLE" role="MANAGER" uri="{CATEGORY}" criteria="x"/>'),
            RoleSearch("MANAGER", None, CATEGORY, "x", None),
        )
        self.assert_refused(
            "prinsrch",
            f'<qib qtype="FORROLE" uri="{ROOM}"/>',
            f'<qib qtype="FORROLE" role="CREATOR" uri="{ROOM}"/>',
            '<qib qtype="FORROLE" role="MEMBER"/>',
            f'<qib qtype="FORROLE" role="MEMBER" uri="{ALICE}"/>',
        )


class Creating(ReadersCase):
    """``chancreate``."""

    def test_everything(self) -> None:
        """All that a room may be given at its making; a URI that the client made up is not looked at."""
        found = self.read(
            "chancreate",
            f'<chanib uri="x" name="Ops" description="d" parent="{CATEGORY}" behavior="auditorium"'
            f' visibility="private" invite="false" siopid="{GUID}"/>',
        )
        self.assertEqual(
            found, CreateRoom(RoomWishes("Ops", "d", CATEGORY, "AUDITORIUM", "PRIVATE", False, GUID))
        )

    def test_least(self) -> None:
        """A name and a parent are enough."""
        self.assertEqual(
            self.read("chancreate", f'<chanib name="Ops" parent="{CATEGORY}"/>'),
            CreateRoom(RoomWishes(name="Ops", parent=CATEGORY)),
        )

    def test_refused(self) -> None:
        """What is missing, doubled, too long or none of the words there are."""
        good = f'name="Ops" parent="{CATEGORY}"'
        self.assert_refused(
            "chancreate",
            "",
            f"<chanib {good}/><chanib {good}/>",
            '<chanib name="Ops"/>',
            f'<chanib parent="{CATEGORY}"/>',
            f'<chanib name="Ops" parent="{ROOM}"/>',
            '<chanib name="Ops" parent="Demo"/>',
            f'<chanib name="{"x" * 1_025}" parent="{CATEGORY}"/>',
            f'<chanib {good} description="{"x" * 1_025}"/>',
            f'<chanib {good} visibility="SECRET"/>',
            f'<chanib {good} behavior="LOUD"/>',
            f'<chanib {good} invite="inherit"/>',
            f'<chanib {good} siopid="{"x" * 65}"/>',
        )


class Modifying(ReadersCase):
    """``chanmodify`` and ``chanroles``."""

    def test_modify(self) -> None:
        """What is absent stays; an empty add-in takes it away; the time is that of the last reading."""
        self.assertEqual(self.read("chanmodify", CHANIB), ModifyRoom(KEY, RoomWishes(), None, None))
        found = self.read(
            "chanmodify",
            f'<chanib uri="{ROOM}" description="" siopid="" invite="true" disabled="true"'
            ' updatedon="2026-01-02T03:04:05.1234567Z"/>',
        )
        read_at = ticks.from_iso("2026-01-02T03:04:05.1234567Z")
        self.assertEqual(
            found, ModifyRoom(KEY, RoomWishes(description="", addin="", invite=True), True, read_at)
        )

    def test_modify_refused(self) -> None:
        """A room must be named, once, and every word must be one that there is."""
        self.assert_refused(
            "chanmodify",
            "",
            CHANIB * 2,
            '<chanib name="x"/>',
            f'<chanib uri="{ROOM}" disabled="perhaps"/>',
            f'<chanib uri="{ROOM}" parent="{ROOM}"/>',
            f'<chanib uri="{ROOM}" visibility=""/>',
            *(
                f'<chanib uri="{ROOM}" updatedon="{text}"/>'
                for text in ("", "yesterday", "638000000000000000", "2026-13-01", "2026-01-01T00:00:00+99:00")
            ),
            f'<chanib uri="{ROOM}" updatedon="{"2" * 100}"/>',
        )

    def test_roles(self) -> None:
        """Each role once, each principal once."""
        found = self.read(
            "chanroles",
            f'<chanib uri="{ROOM}" updatedon="2026-01-02T03:04:05Z"/>'
            f'<role type="member"><add uri="{ALICE}"/><add uri=" {ALICE} "/><remove uri="{BOB}"/></role>'
            f'<role type="PRESENTER"><add uri="{ALICE}"/><else/></role>',
        )
        self.assertEqual(
            found,
            ModifyRoles(
                KEY,
                {"MEMBER": RoleWish((ALICE,), (BOB,)), "PRESENTER": RoleWish((ALICE,), ())},
                ticks.from_iso("2026-01-02T03:04:05Z"),
            ),
        )

    def test_roles_refused(self) -> None:
        """Nobody at all, a role twice or unknown, an empty address, and who is to come and go at once."""
        add = f'<add uri="{ALICE}"/>'
        self.assert_refused(
            "chanroles",
            "",
            CHANIB,
            f'{CHANIB}<role type="MEMBER"/>',
            f'<role type="MEMBER">{add}</role>',
            f"{CHANIB}<role>{add}</role>",
            f'{CHANIB}<role type="CREATOR">{add}</role>',
            f'{CHANIB}<role type="MEMBER">{add}</role><role type="member">{add}</role>',
            f'{CHANIB}<role type="MEMBER"><add/></role>',
            f'{CHANIB}<role type="MEMBER"><add uri=" "/></role>',
            f'{CHANIB}<role type="MEMBER"><add uri="{"x" * 1_025}"/></role>',
            f'{CHANIB}<role type="MEMBER">{add}<remove uri="{ALICE.upper()}"/></role>',
        )

    def test_roles_limit(self) -> None:
        """So many entries a change, over all roles together."""
        limits = CommandLimits(principals=3)
        two = '<add uri="a"/><remove uri="b"/>'
        entries = f'{CHANIB}<role type="MEMBER">{two}</role><role type="MANAGER">'
        self.read("chanroles", entries + '<add uri="c"/></role>', limits)
        error = self.assertRaises(CommandRefused, self.read, "chanroles", f"{entries}{two}</role>", limits)
        self.assertIs(error.code, ResponseCode.ERROR_LIMIT_EXCEEDED)


NAMES = sorted({*room_commands.READERS, *search_commands.READERS})
ELEMENTS = st.sampled_from(["chanib", "qib", "role", "add", "remove", "other"])
ATTRIBUTES = st.sampled_from(
    [
        *("uri", "name", "description", "parent", "behavior", "visibility", "invite", "siopid", "disabled"),
        *("updatedon", "type", "role", "qtype", "criteria", "extended", "maxResults", "matchall"),
        "matchexact",
    ]
)
VALUES = st.sampled_from(
    [
        *(ROOM, CATEGORY, ALICE, "", " ", "true", "false", "MEMBER", "OPEN", "AUDITORIUM", "FORROLE"),
        *("USERS", "BYMEMBER", "1", "-1", "0", "2026-01-02T03:04:05Z", "0001-01-01T00:00:00+23:59"),
        *("9999-12-31", "١"),
    ]
) | st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"], exclude_characters="\ufffe\uffff"))
Tree = tuple[str, dict[str, str], list[Any]]
TREES: st.SearchStrategy[Tree] = st.recursive(
    st.tuples(ELEMENTS, st.dictionaries(ATTRIBUTES, VALUES, max_size=5), st.just([])),
    lambda inner: st.tuples(
        ELEMENTS, st.dictionaries(ATTRIBUTES, VALUES, max_size=3), st.lists(inner, max_size=4)
    ),
    max_leaves=8,
)


def made(tree: Tree) -> etree._Element:
    """Make an element of a drawn tree."""
    name, attributes, inner = tree
    element = etree.Element(f"{{{NAMESPACE}}}{name}", attributes)
    element.extend([made(child) for child in inner])
    return element


class AnyArguments(SynchronousTestCase):
    """Whatever stands in a command, it is understood or refused by name."""

    @settings(deadline=None, max_examples=300)
    @given(st.sampled_from(NAMES), st.lists(TREES, max_size=4))
    def test_read_or_refused(self, name: str, trees: list[Tree]) -> None:
        """A reader gives a value that equals that of a second reading, or a refusal; nothing else."""
        data = etree.Element(f"{{{NAMESPACE}}}data")
        data.extend([made(tree) for tree in trees])
        reader = {**room_commands.READERS, **search_commands.READERS}[name]
        try:
            read = reader(data, DEFAULT_COMMAND_LIMITS)
        except CommandRefused as error:
            self.assertIn(
                error.code, {ResponseCode.ERROR_INVALID_ARGUMENT, ResponseCode.ERROR_LIMIT_EXCEEDED}
            )
        else:
            self.assertEqual(read, reader(data, DEFAULT_COMMAND_LIMITS))
