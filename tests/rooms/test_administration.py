"""What operators do to categories and rooms, and what follows from it."""

from __future__ import annotations

import json
from collections.abc import Coroutine
from typing import Any

from twisted.internet.defer import Deferred, ensureDeferred, fail
from twisted.logger import LogLevel, capturedLogs, formatEvent
from twisted.python.failure import Failure

from pchat.errors import AdministrationRefused, StoreUnavailable
from pchat.interfaces import ITransaction
from pchat.rooms.room import Role
from pchat.rooms.room_queries import RoomFilter
from pchat.store.indexing import index
from pchat.store.messages import NewMessage, Stale
from pchat.store.rooms import store_setting
from pchat.xccos.codes import ResponseCode
from tests.rooms.rules_support import DOMAIN, OPERATOR, Memory, Rules, RulesCase, SlowStore, result

ALICE, BOB, CAROL = (f"sip:{name}@{DOMAIN}" for name in ("alice", "bob", "carol"))


#: Tables that name a room, and what else a row of each must have.
EXTRA_COLUMNS = {
    "invitations": (", invite_id, created_by, created_on", ", 2, 'x', 1"),
    "read_markers": (", chat_id, updated_on", ", 1, 1"),
    "followed_rooms": ("", ""),
    "topic_hits": (", chat_id, guids, ts", ", 1, '[]', 1"),
}


class StaffCase(RulesCase):
    """Three users who may chat, and a category that is open to the domain."""

    def setUp(self) -> None:
        super().setUp()
        self.rooms, self.categories = self.rules.rooms, self.rules.categories
        result(self.rules.people.set_policy(OPERATOR, True))
        for name in ("alice", "bob", "carol"):
            self.rules.user(name)
        result(self.categories.add_category(OPERATOR, "Staff", allowed=[DOMAIN]))

    def add(self, name: str, **attributes: Any) -> None:
        result(self.rooms.add_room(OPERATOR, name, **({"category": "Staff"} | attributes)))

    def grant(self, name: str, role: Role, *uris: str) -> None:
        result(self.rooms.add_role(OPERATOR, name, role, uris))

    def holders(self, name: str, role: Role) -> list[str]:
        return [shown["uri"] for shown in self.rooms.list_role(name, role)]

    def refused(self, work: Coroutine[Any, Any, Any], code: ResponseCode) -> str:
        before = self.rules.query("select number from revision")
        error = self.assertRaises(AdministrationRefused, result, work)
        self.assertEqual(error.code, code, str(error))
        self.assertEqual(self.rules.query("select number from revision"), before)
        return str(error)

    def events(self) -> list[tuple[str, str, dict[str, Any]]]:
        """Give the compliance events since the last time."""
        rows = self.rules.query("select kind, room_name, detail from outbox order by server_sequence")
        done = getattr(self, "_events_seen", 0)
        self._events_seen = len(rows)
        return [(kind, room, json.loads(detail)) for kind, room, detail in rows[done:]]


class CategoryTests(StaffCase):
    """Categories and their scope."""

    def test_shown_as_made(self) -> None:
        """A new category keeps history, takes no files, sends no invitations, and shows its lists."""
        result(
            self.categories.add_category(
                "alice", " Legal ", description="Law", allowed=[DOMAIN, ALICE], denied=[BOB], creators=[ALICE]
            )
        )
        shown = self.categories.show_category("LEGAL")
        self.assertTrue(shown.pop("uri").startswith("ma-cat://example.com/"))
        stamp = "2023-11-14T22:13:20.0000000Z"
        self.assertEqual(
            shown,
            {
                "name": "Legal",
                "description": "Law",
                "invitations": False,
                "file_upload": False,
                "chat_history": True,
                "allowed_members": [
                    {"uri": DOMAIN, "kind": "domain"},
                    {"uri": ALICE, "kind": "user"},
                ],
                "denied_members": [{"uri": BOB, "kind": "user"}],
                "creators": [{"uri": ALICE, "kind": "user"}],
                "number_of_chat_rooms": 0,
                "created_by": "alice",
                "created_on": stamp,
                "updated_by": "alice",
                "updated_on": stamp,
                "purged_on": None,
            },
        )

    def test_a_list_replaces_the_list_and_an_empty_text_empties_it(self) -> None:
        """``--allow`` replaces all that was allowed; ``--deny ''`` takes everybody off."""
        result(self.categories.change_category(OPERATOR, "Staff", allowed=[ALICE, BOB], denied=[BOB]))
        result(self.categories.change_category(OPERATOR, "Staff", denied=[""]))
        shown = self.categories.show_category("Staff")
        self.assertEqual([found["uri"] for found in shown["allowed_members"]], [ALICE, BOB])
        self.assertEqual(shown["denied_members"], [])

    def test_names_are_unique_in_the_pool(self) -> None:
        """A category may have neither another category's name nor a room's, in any case (M-3)."""
        self.add("Lobby")
        for name in ("STAFF", "lobby"):
            self.refused(
                self.categories.add_category(OPERATOR, name, allowed=[DOMAIN]),
                ResponseCode.ERROR_DUPLICATE_NAME,
            )
        self.refused(
            self.rooms.add_room(OPERATOR, "staff", category="Staff"), ResponseCode.ERROR_DUPLICATE_NAME
        )
        self.refused(
            self.categories.change_category(OPERATOR, "Staff", name="LOBBY"),
            ResponseCode.ERROR_DUPLICATE_NAME,
        )
        result(self.categories.change_category(OPERATOR, "Staff", name="STAFF"))

    def test_creators_must_be_in_scope(self) -> None:
        """Nobody outside Allowed minus Denied can be a creator (P-2); narrowing takes creators along."""
        for denied in ([ALICE], [DOMAIN]):
            self.refused(
                self.categories.change_category(OPERATOR, "Staff", denied=denied, creators=[ALICE]),
                ResponseCode.ERROR_PRINCIPALS_NOT_IN_SCOPE,
            )
        result(self.categories.change_category(OPERATOR, "Staff", creators=[ALICE, BOB]))
        result(self.categories.change_category(OPERATOR, "Staff", denied=[ALICE]))
        self.assertEqual(self.categories.show_category("Staff")["creators"], [{"uri": BOB, "kind": "user"}])

    def test_unknown_people(self) -> None:
        """A mistyped user, group or single word is refused and leaves no principal behind."""
        for text in ("dave@example.com", "alice", "ma-grp:1234@u.g", "a b.c"):
            self.refused(
                self.categories.add_category(OPERATOR, "New", allowed=[CAROL, text]),
                ResponseCode.ERROR_NO_SUCH_PRINCIPAL,
            )

    def test_narrowed_scope_purges_roles_and_tells(self) -> None:
        """Who falls out of the scope loses his roles; observers look at every room of the category (P-11)."""
        self.add("Ops")
        self.add("Hall", privacy="open")
        self.grant("Ops", Role.MEMBER, ALICE, BOB)
        self.grant("Ops", Role.MANAGER, BOB)
        self.events()
        self.rules.observer.take()
        result(self.categories.change_category(OPERATOR, "Staff", denied=[BOB]))
        self.assertEqual(self.holders("Ops", Role.MEMBER), [ALICE])
        self.assertEqual(self.holders("Ops", Role.MANAGER), [])
        self.assertEqual(
            self.rules.observer.take(),
            [("rights_narrowed", ["Ops", "Hall"]), ("rights_changed", ["Ops", "Hall"])],
        )
        (scope, _, scope_detail), (role, room, role_detail) = self.events()
        self.assertEqual(
            (scope, scope_detail["added"], scope_detail["removed"]), ("scope_change", {"deny": [BOB]}, {})
        )
        self.assertEqual((role, room), ("role_change", "Ops"))
        self.assertEqual(role_detail["removed"], {"manager": [BOB], "member": [BOB]})

    def test_widened_scope_narrows_nothing(self) -> None:
        """Nobody loses a right when more are allowed; what people may do is told again."""
        self.add("Ops")
        self.rules.observer.take()
        result(self.categories.change_category(OPERATOR, "Staff", allowed=[DOMAIN, ALICE]))
        self.assertEqual(self.rules.observer.take(), [("rights_changed", ["Ops"])])

    def test_switches_change_every_room(self) -> None:
        """Rooms show the inherited switches at once."""
        self.add("Ops")
        self.rules.observer.take()
        result(self.categories.change_category(OPERATOR, "Staff", chat_history=False, invitations=True))
        room = self.rules.room("Ops")
        self.assertEqual((room.logged, room.invitations_on), (False, True))
        self.assertEqual(self.rules.observer.take(), [("room_changed", "Ops")])

    def test_only_empty_categories_go(self) -> None:
        """A category with rooms stays (F-15)."""
        self.add("Ops")
        self.refused(
            self.categories.remove_category(OPERATOR, "Staff"), ResponseCode.ERROR_NODE_HIERARCHY_VIOLATION
        )
        result(self.rooms.remove_room(OPERATOR, "Ops"))
        result(self.categories.remove_category(OPERATOR, "Staff"))
        self.assertEqual(self.categories.list_categories(), [])
        self.refused(self.rooms.add_room(OPERATOR, "Ops", category="Staff"), ResponseCode.ERROR_NO_SUCH_NODE)


class RoomTests(StaffCase):
    """Rooms and their attributes."""

    def test_shown_as_made(self) -> None:
        """A new room is closed, normal, inherits invitations, and nobody is on its lists (M-6)."""
        self.add("Ops", description="Night shift")
        shown = self.rooms.show_room("ops")
        uri = shown["uri"]
        self.assertRegex(uri, r"^ma-chan://example\.com/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")
        self.assertEqual(
            [shown[key] for key in ("name", "category", "description", "privacy", "type", "invitations")],
            ["Ops", "Staff", "Night shift", "closed", "normal", "inherit"],
        )
        self.assertEqual([shown[key] for key in ("members", "managers", "presenters")], [[], [], []])
        self.assertFalse(shown["disabled"])
        for text in (uri, uri.upper(), "OPS", uri.rpartition("/")[2].upper()):
            self.assertEqual(self.rooms.room(text).uri, uri)

    def test_uri_never_changes(self) -> None:
        """Renamed and moved, a room keeps its URI (M-4) and is found by its new name only."""
        self.add("Ops")
        uri = self.rules.room("Ops").uri
        result(self.categories.add_category(OPERATOR, "Other", allowed=[DOMAIN]))
        result(self.rooms.change_room(OPERATOR, "Ops", name="Night"))
        result(self.rooms.move_room(OPERATOR, "Night", "Other"))
        self.assertEqual(self.rooms.show_room("Night")["uri"], uri)
        self.assertEqual(self.rooms.show_room("Night")["category"], "Other")
        self.assertRaises(AdministrationRefused, self.rooms.show_room, "Ops")

    def test_words(self) -> None:
        """Unknown words are refused."""
        words: list[dict[str, Any]] = [
            *({"privacy": "hidden"}, {"behavior": "loud"}, {"invitations": "true"})
        ]
        for bad in words:
            self.refused(
                self.rooms.add_room(OPERATOR, "Ops", category="Staff", **bad),
                ResponseCode.ERROR_INVALID_ARGUMENT,
            )
        self.refused(
            self.rooms.add_room(OPERATOR, "Ops", category="Staff", addin="x"), ResponseCode.ERROR_NO_SUCH_NODE
        )
        for name in ("", "x" * 257, "a\nb"):
            self.refused(
                self.rooms.add_room(OPERATOR, name, category="Staff"), ResponseCode.ERROR_INVALID_ARGUMENT
            )

    def test_filters(self) -> None:
        """Listings can be narrowed by every attribute."""
        self.add("Ops", description="Night shift")
        self.add("Lobby", privacy="open")
        self.add("Hall", behavior="auditorium")
        self.grant("Ops", Role.MEMBER, DOMAIN)
        self.grant("Hall", Role.MANAGER, ALICE)
        result(self.rooms.disable_room(OPERATOR, "Hall"))

        def names(**filters: Any) -> list[str]:
            return [shown["name"] for shown in self.rooms.list_rooms(RoomFilter(**filters))]

        self.assertEqual(names(), ["Ops", "Lobby", "Hall"])
        self.assertEqual(names(text="NIGHT"), [])
        self.assertEqual(names(text="NIGHT", search_description=True), ["Ops"])
        self.assertEqual(names(member=BOB), ["Ops"])
        self.assertEqual(names(manager=ALICE), ["Hall"])
        self.assertEqual(names(privacy="open"), ["Lobby"])
        self.assertEqual(names(behavior="auditorium"), ["Hall"])
        self.assertEqual(names(disabled=True), ["Hall"])
        self.assertEqual(names(disabled=False, category="staff"), ["Ops", "Lobby"])

    def test_closing_a_room_tells_who_decides(self) -> None:
        """Those who lose the right go before the others see the new properties."""
        self.add("Lobby", privacy="open")
        self.rules.observer.take()
        self.events()
        result(self.rooms.change_room(OPERATOR, "Lobby", privacy="secret"))
        self.assertEqual(
            self.rules.observer.take(),
            [("rights_narrowed", ["Lobby"]), ("rights_changed", ["Lobby"]), ("room_changed", "Lobby")],
        )
        self.assertEqual(
            self.events(),
            [
                (
                    "room_change",
                    "Lobby",
                    {"change": "changed", "before": {"privacy": "open"}, "after": {"privacy": "secret"}},
                )
            ],
        )
        result(self.rooms.change_room(OPERATOR, "Lobby", description="x"))
        self.assertEqual(self.rules.observer.take(), [("room_changed", "Lobby")])

    def test_disable_and_enable(self) -> None:
        """Nobody finds or joins a disabled room; enabled again, all is as before (F-14)."""
        self.add("Ops")
        self.grant("Ops", Role.MEMBER, ALICE)
        self.rules.observer.take()
        result(self.rooms.disable_room(OPERATOR, "Ops"))
        alice, room = self.rules.user("alice"), self.rules.room("Ops")
        self.assertEqual(self.rules.observer.take(), [("room_disabled", "Ops")])
        self.assertEqual(self.rules.access.refusal_to_join(alice, room), ResponseCode.ERROR_NODE_DISABLED)
        self.assertFalse(self.rules.access.may_see(alice, room))
        self.refused(self.rooms.disable_room(OPERATOR, "Ops"), ResponseCode.ERROR_INVALID_ARGUMENT)
        result(self.rooms.enable_room(OPERATOR, "Ops"))
        self.assertIsNone(self.rules.access.refusal_to_post(alice, room))
        self.refused(self.rooms.enable_room(OPERATOR, "Ops"), ResponseCode.ERROR_INVALID_ARGUMENT)

    def test_remove(self) -> None:
        """A removed room is gone with its messages, and its name is free."""
        self.add("Ops")
        number = self.rules.room("Ops").id

        async def post(txn: ITransaction) -> None:
            await txn.run(
                "insert into messages (room_id, chat_id, ts, author_id, chat) values (%s, 1, 1, 1, 'x')",
                (number,),
            )
            await index(txn, number, [(1, 1, "x")])
            for table in ("invitations", "read_markers", "followed_rooms", "topic_hits"):
                columns, values = EXTRA_COLUMNS[table]
                await txn.run(
                    f"insert into {table} (principal_id, room_id{columns}) values (1, %s{values})",  # noqa: S608
                    (number,),
                )

        self.rules.store.write(post).addErrback(Failure.raiseException)
        result(self.rooms.remove_room(OPERATOR, "Ops"))
        for table in EXTRA_COLUMNS:
            self.assertEqual(self.rules.query(f"select count(*) from {table}"), [(0,)], table)  # noqa: S608
        self.assertIn(("room_removed", "Ops"), self.rules.observer.take())
        self.assertEqual(self.rules.query("select count(*) from messages"), [(0,)])
        self.assertIsNone(self.rules.tree.room_by_id(number))
        self.add("Ops")

    def test_moving_purges_roles(self) -> None:
        """Whom the new category does not allow loses his roles; the others keep theirs (P-10)."""
        result(self.categories.add_category(OPERATOR, "Few", allowed=[ALICE]))
        self.add("Ops")
        self.grant("Ops", Role.MEMBER, ALICE, BOB)
        self.grant("Ops", Role.MANAGER, BOB)
        self.rules.observer.take()
        result(self.rooms.move_room(OPERATOR, "Ops", "Few"))
        self.assertEqual(self.holders("Ops", Role.MEMBER), [ALICE])
        self.assertEqual(self.holders("Ops", Role.MANAGER), [])
        self.assertEqual(
            self.rules.observer.take(),
            [("rights_narrowed", ["Ops"]), ("rights_changed", ["Ops"]), ("room_changed", "Ops")],
        )


class RoleTests(StaffCase):
    """Role lists."""

    def test_only_people_in_scope(self) -> None:
        """Nobody outside the scope gets a role, and then nobody of the command does (P-2)."""
        result(self.categories.change_category(OPERATOR, "Staff", denied=[BOB]))
        self.add("Ops")
        for role in (Role.MEMBER, Role.MANAGER):
            self.refused(
                self.rooms.add_role(OPERATOR, "Ops", role, [ALICE, BOB]),
                ResponseCode.ERROR_PRINCIPALS_NOT_IN_SCOPE,
            )
            self.assertEqual(self.holders("Ops", role), [])

    def test_refusals(self) -> None:
        """Twice, unknown, nobody, not there, no such room: each has its own code."""
        self.add("Ops")
        self.grant("Ops", Role.MEMBER, ALICE)
        for work, code in [
            (
                self.rooms.add_role(OPERATOR, "Ops", Role.MEMBER, [BOB, ALICE]),
                "ERROR_PRINCIPALS_ALREADY_DEFINED",
            ),
            (
                self.rooms.add_role(OPERATOR, "Ops", Role.MEMBER, ["dave@example.com"]),
                "ERROR_NO_SUCH_PRINCIPAL",
            ),
            (self.rooms.add_role(OPERATOR, "Ops", Role.MEMBER, []), "ERROR_INVALID_ARGUMENT"),
            (self.rooms.remove_role(OPERATOR, "Ops", Role.MEMBER, [ALICE, BOB]), "ERROR_NO_SUCH_PRINCIPAL"),
            (self.rooms.add_role(OPERATOR, "Opus", Role.MEMBER, [ALICE]), "ERROR_NO_SUCH_NODE"),
        ]:
            self.refused(work, ResponseCode[code])
        self.assertEqual(self.holders("Ops", Role.MEMBER), [ALICE])

    def test_named_twice_in_one_command(self) -> None:
        """Two spellings of one person are one person."""
        self.add("Ops")
        self.grant("Ops", Role.MEMBER, ALICE, "ALICE@example.com", "sips:alice@EXAMPLE.com:5061")
        self.assertEqual(self.holders("Ops", Role.MEMBER), [ALICE])

    def test_presenters_are_members_of_auditoriums(self) -> None:
        """A normal room has no presenters; in an auditorium they must be members (P-3)."""
        self.add("Ops")
        self.add("Hall", behavior="auditorium")
        self.grant("Ops", Role.MEMBER, ALICE)
        self.refused(
            self.rooms.add_role(OPERATOR, "Ops", Role.PRESENTER, [ALICE]), ResponseCode.ERROR_INVALID_ARGUMENT
        )
        self.refused(
            self.rooms.add_role(OPERATOR, "Hall", Role.PRESENTER, [ALICE]),
            ResponseCode.ERROR_PRESENTER_NOT_MEMBER,
        )
        self.grant("Hall", Role.MEMBER, DOMAIN)
        self.grant("Hall", Role.PRESENTER, ALICE)
        self.assertIsNone(
            self.rules.access.refusal_to_post(self.rules.user("alice"), self.rules.room("Hall"))
        )
        self.assertIsNotNone(
            self.rules.access.refusal_to_post(self.rules.user("bob"), self.rules.room("Hall"))
        )

    def test_presenters_of_an_open_auditorium_need_no_membership(self) -> None:
        """In an open room whoever is in scope counts as member; closed, only listed presenters stay."""
        self.add("Hall", behavior="auditorium", privacy="open")
        self.grant("Hall", Role.MEMBER, ALICE)
        self.grant("Hall", Role.PRESENTER, ALICE, BOB)
        result(self.rooms.change_room(OPERATOR, "Hall", privacy="closed"))
        self.assertEqual(self.holders("Hall", Role.PRESENTER), [ALICE])
        result(self.rooms.change_room(OPERATOR, "Hall", behavior="normal"))
        self.assertEqual(self.holders("Hall", Role.PRESENTER), [])
        self.assertEqual(self.holders("Hall", Role.MEMBER), [ALICE])

    def test_removed_member_is_no_presenter_and_leaves(self) -> None:
        """Taking a member off the list takes his presenter role too, and puts him out."""
        self.add("Hall", behavior="auditorium")
        self.grant("Hall", Role.MEMBER, ALICE, BOB)
        self.grant("Hall", Role.PRESENTER, ALICE)
        self.rules.observer.take()
        self.events()
        shown = result(self.rooms.remove_role(OPERATOR, "Hall", Role.MEMBER, [ALICE]))
        self.assertEqual(shown, [{"uri": BOB, "kind": "user"}])
        self.assertEqual(self.holders("Hall", Role.PRESENTER), [])
        self.assertEqual(
            self.rules.observer.take(), [("rights_narrowed", ["Hall"]), ("rights_changed", ["Hall"])]
        )
        removed = {"member": [ALICE], "presenter": [ALICE]}
        self.assertEqual(self.events(), [("role_change", "Hall", {"added": {}, "removed": removed})])
        self.assertIsNotNone(
            self.rules.access.refusal_to_join(self.rules.user("alice"), self.rules.room("Hall"))
        )

    def test_member_list_of_an_open_room(self) -> None:
        """Members of an open room are kept, without effect until the room is closed."""
        self.add("Lobby", privacy="open")
        self.grant("Lobby", Role.MEMBER, ALICE)
        bob, room = self.rules.user("bob"), self.rules.room("Lobby")
        self.assertIsNone(self.rules.access.refusal_to_join(bob, room))
        result(self.rooms.change_room(OPERATOR, "Lobby", privacy="closed"))
        self.assertIsNotNone(self.rules.access.refusal_to_join(bob, room))
        self.assertIsNone(self.rules.access.refusal_to_join(self.rules.user("alice"), room))

    def test_manager_who_is_no_member_does_not_join(self) -> None:
        """Managing a closed room is not being in it (P-6)."""
        self.add("Ops")
        self.grant("Ops", Role.MANAGER, ALICE)
        alice, room = self.rules.user("alice"), self.rules.room("Ops")
        self.assertEqual(self.rules.access.refusal_to_join(alice, room), ResponseCode.ERROR_PERMISSION)
        self.assertIsNone(self.rules.access.refusal_to_manage(alice, room))


class CommitTests(StaffCase):
    """How changes get into the store."""

    def test_every_change_has_a_revision_and_a_row(self) -> None:
        """The store tells who changed what, without gaps."""
        self.add("Ops")
        self.grant("Ops", Role.MEMBER, ALICE)
        rows = self.rules.query("select revision, kind, changed_by from changes order by revision")
        self.assertEqual([row[0] for row in rows], list(range(1, self.rules.tree.revision + 1)))
        self.assertEqual(rows[-2:], [(rows[-2][0], "room", OPERATOR), (rows[-1][0], "role", OPERATOR)])

    def test_changes_asked_for_at_once_are_made_one_by_one(self) -> None:
        """The second change is decided when the first is committed and known, not before."""
        slow = SlowStore(self.rules.store)
        memory = Memory(slow, self.rules.clock)
        rooms = memory.administration.rooms
        first = ensureDeferred(rooms.add_room(OPERATOR, "Ops", category="Staff"))
        second = ensureDeferred(rooms.add_room(OPERATOR, "OPS", category="Staff"))
        third = ensureDeferred(rooms.add_role(OPERATOR, "Ops", Role.MEMBER, [ALICE]))
        self.assertIsNone(memory.tree.room_by_name("Ops"))
        slow.tell()
        self.assertEqual(self.successResultOf(first)["name"], "Ops")
        refused = self.failureResultOf(second, AdministrationRefused)
        self.assertEqual(refused.value.code, ResponseCode.ERROR_DUPLICATE_NAME)
        self.assertNoResult(third)
        slow.tell()
        self.assertEqual(self.successResultOf(third), [{"uri": ALICE, "kind": "user"}])
        result(self.rules.administration.reload())

    def test_a_change_that_fails_lets_the_next_one_through(self) -> None:
        """When the store cannot commit, nothing changes and administration goes on."""

        def failing(body: object, *args: object) -> Deferred[None]:
            return fail(StoreUnavailable("disk full"))

        self.add("Ops")
        with_failure = self.patch(self.rules.store, "write", failing)
        self.assertRaises(StoreUnavailable, result, self.rooms.disable_room(OPERATOR, "Ops"))
        with_failure.restore()
        self.assertFalse(self.rules.room("Ops").disabled)
        result(self.rooms.disable_room(OPERATOR, "Ops"))

    def test_somebody_else_was_faster(self) -> None:
        """A change decided on old knowledge is refused, nothing is half done, and the new state is known."""
        self.add("Ops")
        other = self.rules.reloaded()
        result(other.administration.rooms.disable_room("other", "Ops"))
        self.rules.observer.take()
        error = self.assertRaises(
            AdministrationRefused, result, self.rooms.change_room(OPERATOR, "Ops", description="x")
        )
        self.assertEqual(error.code, ResponseCode.ERROR_DATA_COLLISION)
        self.assertIn(("room_disabled", "Ops"), self.rules.observer.take())
        self.assertTrue(self.rules.room("Ops").disabled)
        result(self.rooms.change_room(OPERATOR, "Ops", description="x"))
        self.assertEqual(self.rooms.show_room("Ops")["description"], "x")

    def test_a_post_decided_before_a_removal_is_refused(self) -> None:
        """Whoever was removed while his post waited is not heard: the removal committed first wins."""
        self.add("Ops")
        self.grant("Ops", Role.MEMBER, ALICE)
        room, alice = self.rules.room("Ops"), self.rules.user("alice")
        self.assertIsNone(self.rules.access.refusal_to_post(alice, room))
        post = NewMessage(
            message_id="0" * 32,
            room_id=room.id,
            room_uri=room.uri,
            room_name=room.name,
            author_id=alice.id,
            author_uri=alice.uri,
            author_name="",
            chat="x",
            rtf=None,
            alert=False,
            logged=True,
            revision=self.rules.tree.revision,
        )
        result(self.rooms.remove_role(OPERATOR, "Ops", Role.MEMBER, [ALICE]))
        outcomes = self.successResultOf(self.rules.store.append([post]))
        self.assertEqual(outcomes, [Stale(self.rules.tree.revision)])

    def test_reload_tells_what_was_lost(self) -> None:
        """Rooms and rights that another program took away are told to observers."""
        self.add("Ops")
        self.add("Hall")
        other = self.rules.reloaded().administration
        result(other.rooms.remove_room("other", "Ops"))
        result(other.people.disable_user("other", BOB))
        result(other.settings.set_setting("other", "search-limit", "5"))
        self.rules.observer.take()
        result(self.rules.administration.reload())
        self.assertEqual(
            self.rules.observer.take(),
            [
                ("rights_narrowed", ["Hall"]),
                ("rights_changed", ["Hall"]),
                ("room_removed", "Ops"),
                ("user_ended", (BOB, "disabled")),
                ("settings_changed", None),
            ],
        )
        self.assertEqual(self.rules.settings.search_limit, 5)

    def test_an_observer_that_fails_does_not_stop_the_others(self) -> None:
        """A bug in one observer is logged; the others act."""

        class Broken:
            def room_disabled(self, room: object) -> None:
                raise RuntimeError("broken")

        rules = Rules()
        rules.administration._desk._observers.insert(0, Broken())
        result(rules.categories.add_category(OPERATOR, "C"))
        result(rules.rooms.add_room(OPERATOR, "R", category="C"))
        rules.observer.take()
        result(rules.rooms.disable_room(OPERATOR, "R"))
        self.assertEqual(rules.observer.take(), [("room_disabled", "R")])
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)


class SettingTests(StaffCase):
    """Settings and their ranges."""

    def test_change_and_reload(self) -> None:
        """A setting is in force at once, told, and still there after a restart."""
        self.rules.observer.take()
        shown = result(self.rules.administration.settings.set_setting(OPERATOR, "Default_History", " 50 "))
        self.assertEqual(shown["default-history"], 50)
        self.assertEqual(self.rules.observer.take(), [("settings_changed", None)])
        self.assertEqual(self.rules.reloaded().settings.default_history, 50)

    def test_ranges(self) -> None:
        """Values out of range and unknown names are refused and change nothing."""
        before = self.rules.settings.shown()
        for name, text in [
            ("default-history", "0"),
            ("default-history", "501"),
            ("default-history", "-1"),
            ("default-history", "٣"),
            ("default-history", "1e2"),
            ("default-history", "9" * 10_000),
            ("message-size-limit", "0"),
            ("participant-update-limit", str(2**32)),
            ("room-management-url", "javascript:alert(1)"),
            ("room-management-url", "http://[bad"),
            ("room-management-url", "http://" + "x" * 255),
            ("no-such-setting", "1"),
        ]:
            self.refused(
                self.rules.administration.settings.set_setting(OPERATOR, name, text),
                ResponseCode.ERROR_INVALID_ARGUMENT,
            )
        self.assertEqual(self.rules.settings.shown(), before)

    def test_addresses(self) -> None:
        """A room management page is a web address, or none."""
        setting = self.rules.administration.settings.set_setting
        for text in ("https://chat.example.com/rooms?x=1", ""):
            self.assertEqual(
                result(setting(OPERATOR, "room-management-url", text))["room-management-url"], text
            )

    def test_a_stored_value_out_of_range(self) -> None:
        """A value that this version does not allow is logged, and the default is in force instead."""

        async def wider(txn: ITransaction) -> None:
            await store_setting(txn, "default-history", "9999")
            await store_setting(txn, "room-management-url", "gopher://x")
            await store_setting(txn, "search-limit", "7")

        self.rules.store.write(wider)
        with capturedLogs() as events:
            result(self.rules.administration.reload())
        found = self.rules.settings
        self.assertEqual((found.default_history, found.room_management_url, found.search_limit), (30, "", 7))
        lines = [formatEvent(event) for event in events if event["log_level"] is LogLevel.warn]
        self.assertEqual(len(lines), 2)
        self.assertIn("default-history", lines[0])
        self.assertIn("9999", lines[0])

    def test_settings_of_a_newer_server(self) -> None:
        """A setting that only a newer server knows does not stop an older one."""

        async def newer(txn: ITransaction) -> None:
            await store_setting(txn, "brand-new", "x")

        self.rules.store.write(newer)
        self.assertEqual(self.rules.reloaded().settings.shown(), self.rules.settings.shown())
