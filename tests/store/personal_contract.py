"""What every store must do with what is kept for one user: invitations, preferences, read markers."""

from __future__ import annotations

from typing import Any

from pchat.interfaces import ITransaction
from pchat.store import read_markers
from pchat.store.changes import Stamp
from pchat.store.invitations import Invitation, InvitationPage, count, invitations_after, invite, withdraw
from pchat.store.people import retire_principal
from pchat.store.preferences import Preference, ensure_preference, preference, set_preference
from pchat.store.read_markers import ReadState, read_states, set_markers
from pchat.store.rooms import delete_room
from tests.store.contract import StoreCase
from tests.store.support import new_message

ALICE, BOB = 1, 2
STAMP = Stamp("unix:root", 77)


async def kept_for(txn: ITransaction, principal_id: int) -> list[int]:
    """Count the rows that are kept for a user, table by table."""
    return [
        (await txn.query(f"select count(*) from {table} where principal_id = %s", (principal_id,)))[0][0]
        for table in ("invitations", "last_invitations", "preferences", "read_markers")
    ]


class InvitationsContract(StoreCase):
    """Who is invited where, with numbers of his own."""

    def invite(self, room_id: int, *people: int) -> dict[int, int]:
        numbers: dict[int, int] = self.result_of(self.store.write(invite, STAMP, room_id, people))
        return numbers

    def withdraw(self, room_id: int, people: list[int]) -> None:
        self.result_of(self.store.write(withdraw, room_id, people))

    def after(self, who: int, since: int, most: int = 99) -> InvitationPage:
        page: InvitationPage = self.result_of(self.store.read(invitations_after, who, since, most))
        return page

    def test_numbers(self) -> None:
        """Everybody's invitations are numbered from 2; nobody who was never invited has one."""
        self.assertEqual(self.invite(1, ALICE), {ALICE: 2})
        self.assertEqual(self.invite(2, BOB, ALICE), {ALICE: 3, BOB: 2})
        self.assertEqual(
            self.after(ALICE, 1), InvitationPage([Invitation(2, 1, 77), Invitation(3, 2, 77)], 3)
        )
        self.assertEqual(self.after(BOB, 1), InvitationPage([Invitation(2, 2, 77)], 2))
        self.assertEqual(self.after(3, 1), InvitationPage([], 1))
        self.assertEqual(self.result_of(self.store.read(count)), 3)

    def test_since(self) -> None:
        """Who tells a number gets what came after it, the oldest first and no more than he wants."""
        self.invite(1, ALICE)
        self.invite(2, ALICE)
        self.assertEqual(self.after(ALICE, 2), InvitationPage([Invitation(3, 2, 77)], 3))
        self.assertEqual(self.after(ALICE, 1, most=1), InvitationPage([Invitation(2, 1, 77)], 3))
        self.assertEqual(self.after(ALICE, 3), InvitationPage([], 3))

    def test_invited_again(self) -> None:
        """A second invitation to a room takes the place of the first, with a new number."""
        self.invite(1, ALICE)
        self.invite(2, ALICE)
        self.assertEqual(self.invite(1, ALICE, ALICE), {ALICE: 4})
        self.assertEqual([row.room_id for row in self.after(ALICE, 1).invitations], [2, 1])
        self.assertEqual(self.result_of(self.store.read(count)), 2)

    def test_withdrawn(self) -> None:
        """What is withdrawn is gone, and its number is not given again."""
        self.invite(1, ALICE, BOB)
        self.invite(2, ALICE, BOB)
        self.withdraw(2, [ALICE])
        self.assertEqual(self.after(ALICE, 1), InvitationPage([Invitation(2, 1, 77)], 3))
        self.withdraw(1, [ALICE, BOB])
        self.assertEqual(self.after(ALICE, 1), InvitationPage([], 3))
        self.assertEqual(self.after(BOB, 1), InvitationPage([Invitation(3, 2, 77)], 3))
        self.assertEqual(self.invite(1, ALICE), {ALICE: 4})

    def test_nobody(self) -> None:
        """To invite nobody changes nothing, and to withdraw what is not there neither."""
        self.assertEqual(self.invite(1), {})
        self.withdraw(1, [])
        self.withdraw(1, [ALICE])
        self.assertEqual(self.result_of(self.store.read(count)), 0)

    def test_many(self) -> None:
        """A whole company is invited in one go."""
        numbers = self.invite(1, *range(1, 2_002))
        self.assertEqual((len(numbers), set(numbers.values())), (2_001, {2}))
        self.withdraw(1, list(range(2, 2_002)))
        self.assertEqual(self.result_of(self.store.read(count)), 1)


class PreferencesContract(StoreCase):
    """Labelled contents with versions."""

    def set(self, label: str, known: int, content: str, labels: int = 9) -> int | None:
        version: int | None = self.result_of(
            self.store.write(set_preference, ALICE, label, known, content, labels, 5)
        )
        return version

    def get(self, who: int, label: str) -> Preference | None:
        found: Preference | None = self.result_of(self.store.read(preference, who, label))
        return found

    def ensure(self, label: str, known: int, labels: int = 9) -> Preference | None:
        found: Preference | None = self.result_of(
            self.store.write(ensure_preference, ALICE, label, known, labels, 5)
        )
        return found

    def test_versions(self) -> None:
        """Each setting makes a higher version, than the one there is and than the one the client knows."""
        self.assertIsNone(self.get(ALICE, "a"))
        self.assertEqual(self.set("a", 0, "eA=="), 1)
        self.assertEqual(self.set("a", 0, "eQ=="), 2)
        self.assertEqual(self.set("a", 71, "eg=="), 72)
        self.assertEqual(self.get(ALICE, "a"), Preference(72, "eg=="))

    def test_labels_are_apart(self) -> None:
        """Labels are told apart by every character, and by their owner."""
        self.set("a", 0, "eA==")
        self.assertIsNone(self.get(ALICE, "A"))
        self.assertIsNone(self.get(BOB, "a"))

    def test_default(self) -> None:
        """An empty one is made only where there is none, newer than what the client knows."""
        self.assertEqual(self.ensure("a", 71), Preference(72, ""))
        self.assertEqual(self.set("a", 0, "eA=="), 73)
        self.assertEqual(self.ensure("a", 99), Preference(73, "eA=="))

    def test_as_many_as_allowed(self) -> None:
        """One label too many is refused, with a default as well; those that are there can still be set."""
        self.set("a", 0, "")
        self.set("b", 0, "")
        self.assertIsNone(self.set("c", 0, "", labels=2))
        self.assertIsNone(self.ensure("c", 0, labels=2))
        self.assertIsNone(self.get(ALICE, "c"))
        self.assertEqual(self.set("a", 0, "eA==", labels=2), 2)
        self.assertEqual(self.ensure("a", 0, labels=2), Preference(2, "eA=="))

    def test_no_higher_version(self) -> None:
        """After the last version that 32 bits hold nothing is stored."""
        self.assertEqual(self.set("a", 2**31 - 2, "eA=="), 2**31 - 1)
        self.assertIsNone(self.set("a", 0, "eQ=="))
        self.assertEqual(self.get(ALICE, "a"), Preference(2**31 - 1, "eA=="))


class ReadMarkersContract(StoreCase):
    """How far somebody has read, and what is new to him."""

    def post(self, room_id: int, *authors: int, logged: bool = True) -> None:
        posts = [new_message(room_id, author_id=author, logged=logged) for author in authors]
        self.result_of(self.store.append(posts))

    def mark(self, who: int, **markers: int) -> Any:
        numbers = {int(room.removeprefix("room")): chat_id for room, chat_id in markers.items()}
        return self.result_of(self.store.write(set_markers, who, numbers, 5))

    def states(self, who: int, *rooms: int, most: int = 99) -> dict[int, ReadState]:
        states: dict[int, ReadState] = self.result_of(self.store.read(read_states, who, rooms, most))
        return states

    def test_without_a_marker(self) -> None:
        """Who never set a marker has read nothing; his own messages are not new to him."""
        self.post(1, ALICE, BOB, ALICE)
        self.assertEqual(self.states(ALICE, 1, 2), {1: ReadState(0, 1), 2: ReadState(0, 0)})
        self.assertEqual(self.states(BOB, 1), {1: ReadState(0, 2)})

    def test_forth_and_back(self) -> None:
        """A marker goes wherever there is a message, also back to the beginning."""
        self.post(1, BOB, BOB, BOB)
        self.assertEqual(self.mark(ALICE, room1=2, room2=0), ({1, 2}, frozenset()))
        self.assertEqual(self.states(ALICE, 1), {1: ReadState(2, 1)})
        self.mark(ALICE, room1=3)
        self.assertEqual(self.states(ALICE, 1), {1: ReadState(3, 0)})
        self.mark(ALICE, room1=0)
        self.assertEqual(self.states(ALICE, 1), {1: ReadState(0, 3)})

    def test_beyond(self) -> None:
        """A number that no message has yet is not taken, nor a room that is gone; the others are."""
        self.post(1, BOB)
        self.assertEqual(self.mark(ALICE, room1=1, room2=1, room3=0), ({1}, {2}))
        self.assertEqual(self.states(ALICE, 1, 2), {1: ReadState(1, 0), 2: ReadState(0, 0)})

    def test_counted_at_most(self) -> None:
        """Nobody counts further than is asked for."""
        self.post(1, *[BOB] * 5)
        self.assertEqual(self.states(ALICE, 1, most=3), {1: ReadState(0, 3)})

    def test_own_messages_are_bounded(self) -> None:
        """Whatever somebody wrote himself, only so many of the newest messages are looked at."""
        self.patch(read_markers, "OWN_MESSAGES", 4)
        self.post(1, BOB, BOB, *[ALICE] * 4)
        self.assertEqual(self.states(ALICE, 1, most=1), {1: ReadState(0, 1)})
        self.post(1, ALICE)
        self.assertEqual(self.states(ALICE, 1, most=1), {1: ReadState(0, 0)})
        self.assertEqual(self.states(ALICE, 1, most=3), {1: ReadState(0, 2)})

    def test_without_history(self) -> None:
        """A message that is not kept has a number, and is new to nobody."""
        self.post(1, BOB, logged=False)
        self.assertEqual(self.states(ALICE, 1), {1: ReadState(0, 0)})
        self.assertEqual(self.mark(ALICE, room1=1), ({1}, frozenset()))

    def test_what_goes_with_room_and_user(self) -> None:
        """With a room go its markers and invitations; with a user all that is kept for him, and no more."""
        for who in (ALICE, BOB):
            self.mark(who, room1=0, room2=0)
            for room in (1, 2):
                self.result_of(self.store.write(invite, STAMP, room, [who]))
            self.result_of(self.store.write(set_preference, who, "a", 0, "", 9, 5))
        self.result_of(self.store.write(delete_room, 2))
        self.assertEqual(self.result_of(self.store.read(kept_for, ALICE)), [1, 1, 1, 1])
        self.result_of(self.store.write(retire_principal, ALICE, STAMP))
        self.assertEqual(self.result_of(self.store.read(kept_for, ALICE)), [0, 0, 0, 0])
        self.assertEqual(self.result_of(self.store.read(kept_for, BOB)), [1, 1, 1, 1])
