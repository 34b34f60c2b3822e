"""Who follows which room."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pchat.topics.following import Following

numbers = st.integers(1, 5)
#: A user and the rooms that he follows from now on; user 0 stands for a room that is removed.
changes = st.lists(st.tuples(st.integers(0, 5), st.sets(numbers)))


class Followers(SynchronousTestCase):
    """The compact form answers as plain sets do."""

    def assert_same(self, following: Following, rooms: dict[int, set[int]]) -> None:
        """Every question has the answer of the sets."""
        for room in range(1, 7):
            self.assertEqual(following.followed(room), any(room in followed for followed in rooms.values()))
            for user in range(1, 7):
                self.assertEqual(following.follows(user, room), room in rooms.get(user, ()))
        self.assertEqual(set(following.users()), {user for user, followed in rooms.items() if followed})
        self.assertEqual([user for user in range(7) if following.anything(user)], sorted(following.users()))

    @given(changes)
    def test_changes(self, made: list[tuple[int, set[int]]]) -> None:
        """People follow other rooms, and rooms are removed."""
        following, rooms = Following(), dict[int, set[int]]()
        for user, followed in made:
            if user:
                following.replace(user, followed)
                rooms[user] = set(followed)
            else:
                for room in followed:
                    following.forget_room(room)
                    for others in rooms.values():
                        others.discard(room)
        self.assert_same(following, rooms)

    @given(st.dictionaries(numbers, st.sets(numbers, min_size=1)))
    def test_load(self, rooms: dict[int, set[int]]) -> None:
        """What the store has replaces what was there."""
        following = Following()
        following.replace(6, [6])
        following.load((user, room) for user in sorted(rooms) for room in sorted(rooms[user]))
        self.assert_same(following, rooms)
