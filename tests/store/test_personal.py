"""What is kept for one user: the contract on SQLite, and two rules against short models of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from pchat.interfaces import ITransaction
from pchat.store.changes import Stamp
from pchat.store.invitations import invitations_after, invite, withdraw
from pchat.store.read_markers import ReadState, read_states, set_markers
from pchat.store.sqlite import SqliteStore
from pchat.testing.memory import now_or_never
from pchat.testing.store import memory_store
from tests.store.personal_contract import InvitationsContract, PreferencesContract, ReadMarkersContract
from tests.store.support import make_rooms, new_message
from tests.store.test_sqlite import InMemory, Threaded


class InMemoryInvitations(InMemory, InvitationsContract, SynchronousTestCase):
    """Invitations, in memory."""


class InMemoryPreferences(InMemory, PreferencesContract, SynchronousTestCase):
    """Preferences, in memory."""


class InMemoryReadMarkers(InMemory, ReadMarkersContract, SynchronousTestCase):
    """Read markers, in memory."""


class ThreadedInvitations(Threaded, InvitationsContract, SynchronousTestCase):
    """Invitations, with threads."""


class ThreadedPreferences(Threaded, PreferencesContract, SynchronousTestCase):
    """Preferences, with threads."""


class ThreadedReadMarkers(Threaded, ReadMarkersContract, SynchronousTestCase):
    """Read markers, with threads."""


ROOMS = (1, 2, 3)
rooms = st.sampled_from(ROOMS)
people = st.lists(st.integers(1, 4), max_size=4)
invitation_steps = st.one_of(
    st.tuples(st.just("invite"), rooms, people),
    st.tuples(st.just("withdraw"), rooms, people),
)
message_steps = st.one_of(
    st.tuples(st.just("post"), rooms, st.integers(1, 3)),
    st.tuples(st.just("post unkept"), rooms, st.integers(1, 3)),
    st.tuples(st.just("remove"), rooms, st.integers(1, 6)),
    st.tuples(st.just("mark"), rooms, st.integers(0, 6)),
)


def store_with_rooms() -> SqliteStore:
    """Make a started store in memory."""
    store = memory_store(Clock())
    now_or_never(store.start())
    now_or_never(store.write(make_rooms, *ROOMS))
    return store


async def remove_message(txn: ITransaction, room_id: int, chat_id: int) -> None:
    """Take a message out of the history."""
    await txn.run("delete from messages where room_id = %s and chat_id = %s", (room_id, chat_id))


class Rules(SynchronousTestCase):
    """Whatever was done before."""

    @settings(max_examples=60, deadline=None)
    @given(st.lists(invitation_steps, max_size=12), st.integers(1, 3))
    def test_who_asks_since_the_last_number_misses_nothing(
        self, steps: Sequence[tuple[str, int, list[int]]], most: int
    ) -> None:
        """Who reads on from the last number he was told gets each live invitation once, in order."""
        store = store_with_rooms()
        live: dict[tuple[int, int], int] = {}
        last: dict[int, int] = {}
        for verb, room, whom in steps:
            if verb == "invite":
                for person in set(whom):
                    live[person, room] = last[person] = last.get(person, 1) + 1
                told = now_or_never(store.write(invite, Stamp("test", 0), room, whom))
                self.assertEqual(told, {person: last[person] for person in set(whom)})
            else:
                live = {
                    (person, where): number
                    for (person, where), number in live.items()
                    if where != room or person not in whom
                }
                now_or_never(store.write(withdraw, room, whom))
        for person in range(1, 5):
            expected = sorted((number, room) for (who, room), number in live.items() if who == person)
            self.assertEqual(self.read_on(store, person, most), (expected, last.get(person, 1)))
        now_or_never(store.stop())

    def read_on(self, store: SqliteStore, person: int, most: int) -> tuple[list[tuple[int, int]], int]:
        """Read a user's invitations, a few at a time."""
        found: list[tuple[int, int]] = []
        since = 1
        while True:
            page: Any = now_or_never(store.read(invitations_after, person, since, most))
            if not page.invitations:
                return found, page.last
            self.assertLessEqual(len(page.invitations), most)
            found += [(row.invite_id, row.room_id) for row in page.invitations]
            since = found[-1][0]

    @settings(max_examples=60, deadline=None)
    @given(st.lists(message_steps, max_size=25), st.integers(1, 4))
    def test_unread_is_what_a_reader_would_count(
        self, steps: Sequence[tuple[str, int, int]], most: int
    ) -> None:
        """Unread are the messages after the marker that are kept and that somebody else wrote."""
        store = store_with_rooms()
        kept: dict[int, dict[int, int]] = {room: {} for room in ROOMS}
        last = dict.fromkeys(ROOMS, 0)
        markers = dict.fromkeys(ROOMS, 0)
        for verb, room, number in steps:
            if verb == "mark":
                good = number <= last[room]
                done = now_or_never(store.write(set_markers, 1, {room: number}, 0))
                self.assertEqual(done, ({room}, set()) if good else (set(), {room}))
                markers[room] = number if good else markers[room]
            elif verb == "remove":
                kept[room].pop(number, None)
                now_or_never(store.write(remove_message, room, number))
            else:
                last[room] += 1
                if verb == "post":
                    kept[room][last[room]] = number
                now_or_never(store.append([new_message(room, author_id=number, logged=verb == "post")]))
        expected = {
            room: ReadState(
                markers[room],
                min(most, sum(1 for n, author in kept[room].items() if n > markers[room] and author != 1)),
            )
            for room in ROOMS
        }
        self.assertEqual(now_or_never(store.read(read_states, 1, ROOMS, most)), expected)
        now_or_never(store.stop())
