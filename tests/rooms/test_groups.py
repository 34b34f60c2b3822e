"""Groups: rights follow membership at once, names are unique, and what is gone is taken from everything."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from typing import Any

from pchat.directory.people import PrincipalKind
from pchat.errors import AdministrationRefused
from pchat.rooms.access import Right
from pchat.rooms.room import Behavior, Privacy, Role, Room
from pchat.store.rooms import NodeChange, RoomRecord
from pchat.xccos.codes import ResponseCode
from tests.rooms.rules_support import DOMAIN, OPERATOR, NotingObserver, RulesCase, result

ALICE, BOB, CAROL, DAVE = (f"sip:{name}@{DOMAIN}" for name in ("alice", "bob", "carol", "dave"))


class RightsObserver(NotingObserver):
    """Notes those as well whose rights are others now."""

    def rights_changed(self, rooms: Iterable[Room]) -> None:
        self.told.append(("rights_changed", [room.name for room in rooms]))


class GroupCase(RulesCase):
    """Alice, bob, carol and dave, for whom chat is on, and a category for their domain."""

    def setUp(self) -> None:
        super().setUp()
        self.groups, self.rooms = self.rules.groups, self.rules.rooms
        self.categories, self.people = self.rules.categories, self.rules.people
        result(self.people.set_policy(OPERATOR, True))
        for name in ("alice", "bob", "carol", "dave"):
            self.rules.user(name)
        result(self.categories.add_category(OPERATOR, "Staff", allowed=[DOMAIN]))
        self.rules.observer.take()

    def group(self, name: str, *members: str) -> Any:
        return result(self.groups.add_group(OPERATOR, name, members=members))

    def room(self, name: str, *members: str, category: str = "Staff", **given: Any) -> None:
        result(self.rooms.add_room(OPERATOR, name, category=category, **given))
        if members:
            result(self.rooms.add_role(OPERATOR, name, Role.MEMBER, members))

    def joins(self, room: str, *names: str) -> list[str]:
        """Tell who of some people may join a room."""
        return [
            name
            for name in names or ("alice", "bob", "carol", "dave")
            if self.rules.access.refusal_to_join(self.rules.user(name), self.rules.room(room)) is None
        ]

    def refused(self, work: Any, code: ResponseCode) -> str:
        before = self.rules.query("select number from revision")
        error = self.assertRaises(AdministrationRefused, result, work)
        self.assertEqual(error.code, code)
        self.assertEqual(self.rules.query("select number from revision"), before)
        return str(error)

    def details(self, kind: str) -> list[dict[str, Any]]:
        rows = self.rules.query("select kind, room_id, detail from outbox order by server_sequence")
        return [json.loads(detail) | {"room": room} for found, room, detail in rows if found == kind]

    def audit(self) -> list[tuple[Any, ...]]:
        rows = self.rules.query("select action, kind, object, before, after from audit order by entry_id")
        return [(*row[:3], *(None if text is None else json.loads(text) for text in row[3:])) for row in rows]


class RightsTests(GroupCase):
    """What somebody may do because of the groups that he belongs to."""

    def test_a_member_through_a_group_in_a_group(self) -> None:
        """Who belongs to a group that belongs to a member of the room is one himself, and only as long."""
        self.group("Traders", ALICE)
        self.group("Floor", "Traders", BOB)
        self.room("Ops", "Floor")
        self.assertEqual(self.joins("Ops"), ["alice", "bob"])
        result(self.groups.add_members(OPERATOR, "traders", [CAROL]))
        self.assertEqual(self.joins("Ops"), ["alice", "bob", "carol"])
        result(self.groups.remove_members(OPERATOR, "Floor", ["Traders"]))
        self.assertEqual(self.joins("Ops"), ["bob"])

    def test_denied_through_a_nested_group_beats_allowed(self) -> None:
        """Denied wins, whatever path leads there: the domain and he himself are allowed, and it is no use."""
        self.group("Guests", DAVE)
        self.group("Outsiders", "Guests")
        result(
            self.categories.add_category(
                OPERATOR, "Desk", allowed=[DOMAIN, DAVE, "Guests"], denied=["Outsiders"]
            )
        )
        self.room("Desk 1", category="Desk", privacy="open")
        self.assertEqual(self.joins("Desk 1"), ["alice", "bob", "carol"])
        result(self.groups.remove_members(OPERATOR, "Outsiders", ["Guests"]))
        self.assertEqual(self.joins("Desk 1"), ["alice", "bob", "carol", "dave"])

    def test_a_group_as_the_whole_scope(self) -> None:
        """A category that allows a group alone is for its members, not for the rest of the domain."""
        self.group("Board", ALICE)
        result(self.categories.add_category(OPERATOR, "Secret", allowed=["Board"], creators=["Board"]))
        self.room("Talk", category="Secret", privacy="open")
        [_, secret] = self.rules.tree.categories()
        self.assertEqual(self.joins("Talk"), ["alice"])
        self.assertTrue(self.rules.access.may_create(self.rules.user("alice"), secret))
        self.assertFalse(self.rules.access.may_create(self.rules.user("bob"), secret))

    def test_a_group_is_in_the_scope_of_its_domain(self) -> None:
        """A scope that allows the domain takes its groups on role lists; a guest in one gains nothing."""
        guest = "sip:guest@partner.example"
        result(self.people.add_user(OPERATOR, guest))
        self.group("Mixed", ALICE, guest)
        self.room("Ops", "Mixed")
        found = self.rules.directory.by_uri(guest)
        assert found is not None
        self.assertEqual(self.joins("Ops", "alice"), ["alice"])
        self.assertEqual(self.rules.access.rights(found, self.rules.room("Ops")), Right.NONE)

    def test_a_group_outside_the_scope_is_refused(self) -> None:
        """A group that is denied, or not allowed, is put on no role list."""
        self.group("Guests", DAVE)
        result(self.categories.add_category(OPERATOR, "Few", allowed=[ALICE]))
        result(self.categories.change_category(OPERATOR, "Staff", denied=["Guests"]))
        for category in ("Few", "Staff"):
            self.room(f"Room in {category}", category=category)
            self.refused(
                self.rooms.add_role(OPERATOR, f"Room in {category}", Role.MEMBER, ["Guests"]),
                ResponseCode.ERROR_PRINCIPALS_NOT_IN_SCOPE,
            )

    def test_lists_stay_when_membership_changes(self) -> None:
        """Who falls out of scope with his group keeps his place on the list: back in the group he is back."""
        self.group("Board", ALICE, BOB)
        result(self.categories.add_category(OPERATOR, "Few", allowed=["Board"]))
        self.room("Talk", ALICE, BOB, category="Few")
        result(self.groups.remove_members(OPERATOR, "Board", [BOB]))
        self.assertEqual(self.joins("Talk"), ["alice"])
        self.assertEqual([found["uri"] for found in self.rooms.list_role("Talk", Role.MEMBER)], [ALICE, BOB])
        result(self.groups.add_members(OPERATOR, "Board", [BOB]))
        self.assertEqual(self.joins("Talk"), ["alice", "bob"])

    def test_a_presenter_through_a_group(self) -> None:
        """A group presents in an auditorium if it is a member; so does everybody in it."""
        self.group("Speakers", ALICE)
        self.room("Hall", BOB, behavior="auditorium")
        add = self.rooms.add_role
        self.refused(
            add(OPERATOR, "Hall", Role.PRESENTER, ["Speakers"]), ResponseCode.ERROR_PRESENTER_NOT_MEMBER
        )
        result(add(OPERATOR, "Hall", Role.MEMBER, ["Speakers"]))
        result(add(OPERATOR, "Hall", Role.PRESENTER, ["Speakers"]))
        refusal = self.rules.access.refusal_to_post
        self.assertIsNone(refusal(self.rules.user("alice"), self.rules.room("Hall")))
        self.assertEqual(
            refusal(self.rules.user("bob"), self.rules.room("Hall")), ResponseCode.ERROR_PERMISSION
        )


class NameTests(GroupCase):
    """How groups are named, and what is meant by a text that could mean several."""

    def test_names_are_unique_whatever_their_form(self) -> None:
        """The same name in another case or normal form is taken; a room may have it, for it is no group."""
        shown = self.group("Caf\u00e9")
        duplicate = ResponseCode.ERROR_DUPLICATE_NAME
        for name in ("cafe\u0301", "CAFE\u0301", " caf\u00e9 "):
            self.refused(self.groups.add_group(OPERATOR, name), duplicate)
        self.group("Bar")
        self.refused(self.groups.change_group(OPERATOR, "Bar", name="CAF\u00c9"), duplicate)
        result(self.groups.change_group(OPERATOR, "Caf\u00e9", name="CAF\u00c9"))
        self.assertEqual(result(self.groups.show_group("caf\u00e9"))["uri"], shown["uri"])
        self.room("Bar")

    def test_bad_names(self) -> None:
        """Names are checked as those of rooms are."""
        bad = ResponseCode.ERROR_INVALID_ARGUMENT
        for name in ("", "  ", "x" * 257, "x" * 5_000, "a\nb", "a\x00", "\ud800", "a\u2028b"):
            self.refused(self.groups.add_group(OPERATOR, name), bad)
        self.refused(self.groups.add_group(OPERATOR, "ok", description="a\nb"), bad)
        self.assertEqual(self.group("x" * 256)["name"], "x" * 256)

    def test_what_is_somebody_else_already(self) -> None:
        """A group is not called like a user, a domain that is known, or the server's own."""
        for name in ("alice@example.com", ALICE.upper(), DOMAIN, "EXAMPLE.com"):
            self.refused(self.groups.add_group(OPERATOR, name), ResponseCode.ERROR_DUPLICATE_NAME)

    def test_the_order_of_meanings(self) -> None:
        """A user's address comes before the name of a group, and that before a domain."""
        group = self.group("eve@example.com", ALICE)
        other = self.group("partner.example", BOB)
        self.room("Ops", "eve@example.com")
        self.assertEqual(self.rooms.list_role("Ops", Role.MEMBER)[0]["uri"], group["uri"])
        result(self.people.add_user(OPERATOR, "eve@example.com"))
        result(self.rooms.add_role(OPERATOR, "Ops", Role.MEMBER, ["eve@example.com"]))
        self.assertEqual(
            [found["kind"] for found in self.rooms.list_role("Ops", Role.MEMBER)], ["group", "user"]
        )
        result(self.categories.add_category(OPERATOR, "P", allowed=["Partner.Example"]))
        [allowed] = self.categories.show_category("P")["allowed_members"]
        self.assertEqual(allowed, {"uri": other["uri"], "kind": "group", "name": "partner.example"})
        self.assertEqual(result(self.groups.show_group(group["uri"].upper()))["name"], "eve@example.com")

    def test_unknown_groups(self) -> None:
        """Every verb tells when there is no such group; a user and a domain are none."""
        for text in ("Nobodies", ALICE, DOMAIN, "", "ma-grp:1@u.g"):
            for work in (
                self.groups.show_group(text),
                self.groups.change_group(OPERATOR, text, name="x"),
                self.groups.remove_group(OPERATOR, text),
                self.groups.add_members(OPERATOR, text, [ALICE]),
                self.groups.remove_members(OPERATOR, text, [ALICE]),
            ):
                self.refused(work, ResponseCode.ERROR_NO_SUCH_PRINCIPAL)
            self.assertRaises(AdministrationRefused, self.groups.list_members, text)


class MemberTests(GroupCase):
    """Who may be in a group, and what is refused whole."""

    def test_refusals_change_nothing(self) -> None:
        """Unknown people, domains, the group itself, who is there already or is not: nobody moves."""
        self.group("Traders", ALICE)
        add, remove = self.groups.add_members, self.groups.remove_members
        for work, code in (
            (add(OPERATOR, "Traders", [BOB, "nobody@example.com"]), ResponseCode.ERROR_NO_SUCH_PRINCIPAL),
            (add(OPERATOR, "Traders", [BOB, DOMAIN]), ResponseCode.ERROR_INVALID_ARGUMENT),
            (add(OPERATOR, "Traders", [BOB, "Traders"]), ResponseCode.ERROR_INVALID_ARGUMENT),
            (add(OPERATOR, "Traders", [BOB, ALICE]), ResponseCode.ERROR_PRINCIPALS_ALREADY_DEFINED),
            (add(OPERATOR, "Traders", []), ResponseCode.ERROR_INVALID_ARGUMENT),
            (remove(OPERATOR, "Traders", [ALICE, BOB]), ResponseCode.ERROR_NO_SUCH_PRINCIPAL),
            (remove(OPERATOR, "Traders", []), ResponseCode.ERROR_INVALID_ARGUMENT),
            (self.groups.add_group(OPERATOR, "New", members=[DOMAIN]), ResponseCode.ERROR_INVALID_ARGUMENT),
        ):
            self.refused(work, code)
        self.assertEqual(self.groups.list_members("Traders"), [{"uri": ALICE, "kind": "user"}])

    def test_shown(self) -> None:
        """A group shows its members and what it belongs to; a user all groups that he belongs to."""
        self.group("Traders", ALICE)
        outer = self.group("Floor", "Traders")
        shown = result(self.groups.show_group("Traders"))
        self.assertEqual(shown["members"], [{"uri": ALICE, "kind": "user"}])
        self.assertEqual(shown["groups"], [{"uri": outer["uri"], "kind": "group", "name": "Floor"}])
        self.assertEqual(
            {found["name"] for found in result(self.people.show_user(ALICE))["groups"]}, {"Traders", "Floor"}
        )
        listed = self.groups.list_groups()
        self.assertEqual(
            [(found["name"], found["number_of_members"]) for found in listed], [("Traders", 1), ("Floor", 1)]
        )
        self.assertEqual([user["uri"] for user in result(self.people.list_users(group="floor"))], [ALICE])

    def test_told_where_it_matters(self) -> None:
        """Observers hear of the rooms that name the group, or one around it, on a list or in the scope."""
        self.group("Inner", ALICE)
        self.group("Outer", "Inner")
        result(self.categories.add_category(OPERATOR, "Theirs", allowed=[DOMAIN], denied=["Outer"]))
        self.room("Away", BOB)
        self.room("Denied", category="Theirs")
        self.room("Named", "Outer")
        observer = RightsObserver()
        self.rules.administration.observe(observer)
        result(self.groups.add_members(OPERATOR, "Inner", [BOB]))
        concerned = ["Denied", "Named"]
        self.assertEqual(observer.take(), [("rights_narrowed", concerned), ("rights_changed", concerned)])
        self.group("Unused")
        result(self.groups.add_members(OPERATOR, "Unused", [BOB]))
        self.assertEqual(observer.take(), [])


class RecordTests(GroupCase):
    """What the archive and the audit log are told."""

    def test_membership_is_a_role_change_without_a_room(self) -> None:
        """The archive can tell who was in the group when, by addresses."""
        uri = self.group("Traders", ALICE)["uri"]
        result(self.groups.add_members(OPERATOR, "Traders", [CAROL, BOB]))
        result(self.groups.remove_members(OPERATOR, "Traders", [ALICE]))
        self.group("Empty")
        told = {"group": uri, "name": "Traders", "room": None}
        self.assertEqual(
            self.details("role_change"),
            [
                told | {"added": [ALICE], "removed": []},
                told | {"added": [BOB, CAROL], "removed": []},
                told | {"added": [], "removed": [ALICE]},
            ],
        )

    def test_audit(self) -> None:
        """Every verb leaves what was before and after; a change that changes nothing leaves nothing."""
        uri = self.group("Traders", ALICE)["uri"]
        result(self.groups.change_group(OPERATOR, "Traders", name="Dealers", description="They deal"))
        result(self.groups.change_group(OPERATOR, "Dealers", name="Dealers"))
        result(self.groups.add_members(OPERATOR, "Dealers", [BOB]))
        result(self.groups.remove_group(OPERATOR, "Dealers"))
        members = [ALICE, BOB]
        self.assertEqual(
            self.audit()[-4:],
            [
                ("add", "group", uri, None, {"name": "Traders", "description": "", "members": [ALICE]}),
                (
                    *("change", "group", uri),
                    {"name": "Traders", "description": ""},
                    {"name": "Dealers", "description": "They deal"},
                ),
                ("members", "group", uri, None, {"added": [BOB], "removed": []}),
                (
                    *("remove", "group", uri),
                    {"name": "Dealers", "description": "They deal", "members": members, "removed": []},
                    None,
                ),
            ],
        )


class RemovalTests(GroupCase):
    """A group, or a member, that is gone."""

    def test_a_removed_group_leaves_everything(self) -> None:
        """Lists, scopes and other groups lose it and say so; its URI is never somebody else's."""
        uri = self.group("Traders", ALICE)["uri"]
        outer = self.group("Floor", "Traders")["uri"]
        result(self.categories.add_category(OPERATOR, "Few", allowed=["Traders", DOMAIN], denied=["Floor"]))
        few = self.categories.show_category("Few")["uri"]
        self.room("Ops", "Traders", BOB)
        ops = self.rules.room("Ops")
        self.rules.observer.take()
        removed = result(self.groups.remove_group(OPERATOR, "Traders"))
        nowhere = {"room": None, "category": None, "group": None, "uri": uri, "name": "Traders"}
        self.assertEqual(
            removed,
            [
                nowhere | {"category": few, "place": "Few", "role": "allowed"},
                nowhere | {"room": ops.uri, "place": "Ops", "role": "member"},
                nowhere | {"group": outer, "place": "Floor", "role": "member"},
            ],
        )
        self.assertEqual(self.rules.observer.take()[0], ("rights_narrowed", ["Ops"]))
        self.assertEqual(self.joins("Ops"), ["bob"])
        self.assertEqual(self.rules.query("select count(*) from group_members"), [(0,)])
        self.assertEqual(self.groups.list_members("Floor"), [])
        [scope] = [event for event in self.details("scope_change") if event["change"] == "changed"]
        self.assertEqual((scope["category"], scope["removed"]), (few, {"allow": [uri]}))
        self.assertEqual(
            [(event.get("group"), event["removed"]) for event in self.details("role_change")[-3:]],
            [(None, {"member": [uri]}), (outer, [uri]), (uri, [ALICE])],
        )
        old = self.rules.directory.by_id(removed_number(self))
        assert old is not None
        self.assertEqual((old.uri, old.kind), (uri, PrincipalKind.GROUP))
        self.assertIsNone(self.rules.directory.by_uri(uri))
        self.assertNotEqual(self.group("Traders")["uri"], uri)

    def test_a_removed_denied_group_denies_nobody(self) -> None:
        """Where it was denied, its members are in scope again: the entry is told as taken away."""
        self.group("Guests", DAVE)
        result(self.categories.change_category(OPERATOR, "Staff", denied=["Guests"]))
        self.room("Lobby", privacy="open")
        self.assertEqual(self.joins("Lobby", "dave"), [])
        [entry] = result(self.groups.remove_group(OPERATOR, "Guests"))
        self.assertEqual(entry["role"], "denied")
        self.assertEqual(self.joins("Lobby", "dave"), ["dave"])

    def test_a_removed_user_leaves_his_groups(self) -> None:
        """The same address is later somebody else, who belongs to nothing."""
        self.group("Traders", ALICE, BOB)
        self.room("Ops", "Traders")
        result(self.people.remove_user(OPERATOR, ALICE))
        self.assertEqual(self.groups.list_members("Traders"), [{"uri": BOB, "kind": "user"}])
        self.assertEqual(self.details("role_change")[-1]["removed"], [ALICE])
        self.rules.user("alice")
        self.assertEqual(self.joins("Ops"), ["bob"])


def removed_number(case: GroupCase) -> int:
    """Tell the number of the one principal that is removed."""
    [(number,)] = case.rules.query("select principal_id from principals where state = 2")
    return int(number)


def record(number: int, category: int, member: int) -> RoomRecord:
    """Make a room that has one member, a group."""
    return RoomRecord(
        room_id=number,
        guid=f"guid-{number}",
        category_id=category,
        name=f"Room {number}",
        description="",
        privacy=Privacy.CLOSED,
        behavior=Behavior.NORMAL,
        invitations=None,
        addin_guid=None,
        disabled=False,
        last_chat_id=0,
        created_by=OPERATOR,
        created_on=0,
        updated_by=OPERATOR,
        updated_on=0,
        purged_on=0,
        members=frozenset({member}),
        managers=frozenset(),
        presenters=frozenset(),
    )


class ManyRoomsTests(GroupCase):
    """Thirty thousand rooms."""

    def test_a_membership_change_is_quick(self) -> None:
        """Finding the rooms concerned takes no look at each person of each."""
        self.group("Traders", ALICE)
        traders = self.rules.directory.group_by_name("traders")
        [staff] = self.rules.tree.categories()
        assert traders is not None
        rooms = tuple(record(number, staff.id, traders.id) for number in range(1, 30_001))
        self.rules.tree.apply(NodeChange(revision=self.rules.tree.revision, rooms=rooms))
        self.addCleanup(lambda: result(self.rules.administration.load()))
        self.rules.observer.take()
        began = time.process_time()
        result(self.groups.add_members(OPERATOR, "Traders", [BOB]))
        spent = time.process_time() - began
        narrowed = self.rules.observer.take()[0]
        self.assertEqual((narrowed[0], len(narrowed[1])), ("rights_narrowed", 30_000))
        # About 30 ms on a small machine; a second is what nobody would wait for.
        self.assertLess(spent, 1)
