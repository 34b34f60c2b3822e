"""How changes are committed, told and reloaded; settings."""

from __future__ import annotations

from twisted.internet.defer import Deferred, ensureDeferred, fail
from twisted.logger import LogLevel, capturedLogs, formatEvent

from pchat.errors import AdministrationRefused, StoreUnavailable
from pchat.interfaces import ITransaction
from pchat.rooms.room import Role
from pchat.store.messages import NewMessage, Stale
from pchat.store.rooms import store_setting
from pchat.xccos.codes import ResponseCode
from tests.rooms.rules_support import OPERATOR, Memory, Rules, SlowStore, result
from tests.rooms.staff_support import ALICE, BOB, StaffCase


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
