"""Who follows which room, held so that many pairs need little memory."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable
from itertools import groupby
from operator import itemgetter


class Following:
    """The followed rooms of everybody: a sorted array of numbers a user, a count a room.

    A million pairs take some 20 MB so, a fraction of what sets of numbers would.
    """

    def __init__(self) -> None:
        self._rooms: dict[int, array[int]] = {}
        self._followers: Counter[int] = Counter()

    def load(self, pairs: Iterable[tuple[int, int]]) -> None:
        """Take over everything.

        Args:
            pairs: User and room, sorted.
        """
        self._rooms.clear()
        self._followers.clear()
        for user_id, rows in groupby(pairs, key=itemgetter(0)):
            self.replace(user_id, [room_id for _, room_id in rows])

    def replace(self, user_id: int, rooms: Iterable[int]) -> None:
        """Take the rooms that a user follows, in place of those he did."""
        self._count(self._rooms.pop(user_id, ()), -1)
        followed = array("q", sorted(rooms))
        if followed:
            self._rooms[user_id] = followed
            self._count(followed, 1)

    def _count(self, rooms: Iterable[int], change: int) -> None:
        for room_id in rooms:
            self._followers[room_id] += change
            if not self._followers[room_id]:
                del self._followers[room_id]

    def forget_room(self, room_id: int) -> None:
        """Learn that a room is gone; its number may be given to another one."""
        if self.followed(room_id):
            for user_id in [user_id for user_id in self._rooms if self.follows(user_id, room_id)]:
                self.replace(user_id, [other for other in self._rooms[user_id] if other != room_id])

    def followed(self, room_id: int) -> bool:
        """Tell whether anybody follows a room."""
        return room_id in self._followers

    def follows(self, user_id: int, room_id: int) -> bool:
        """Tell whether a user follows a room."""
        rooms = self._rooms.get(user_id)
        if rooms is None:
            return False
        place = bisect_left(rooms, room_id)
        return place < len(rooms) and rooms[place] == room_id

    def anything(self, user_id: int) -> bool:
        """Tell whether a user follows any room."""
        return user_id in self._rooms

    def users(self) -> Iterable[int]:
        """Tell who follows anything."""
        return self._rooms.keys()
