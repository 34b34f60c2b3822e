"""The usage report: the busiest and the quietest rooms, who writes most, and how it changes over time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import date, timedelta
from functools import partial
from typing import Any

from twisted.internet.interfaces import IReactorTime

from pchat import ticks
from pchat.directory.local import LocalDirectory
from pchat.errors import AdministrationRefused
from pchat.interfaces import IStore
from pchat.rooms.room import Room
from pchat.rooms.search_gate import SearchGate
from pchat.rooms.shown import Shown
from pchat.rooms.tree import NodeTree
from pchat.store.usage import RoomUsage, Usage, count_usage
from pchat.xccos.codes import ResponseCode

#: Days that a report covers unless said otherwise, and at most: trends of some years.
DAYS = 30
MOST_DAYS = 3_660
#: Rooms and users in each list.
TOP = 10
MOST_TOP = 1_000


class UsageReport:
    """Counts what is kept; rooms without history count by their last message only.

    Args:
        store: The chat store.
        directory: Authors.
        tree: Rooms.
        clock: The end of the time that is looked at.
        gate: Lets it into the store.

    Source: docs/spec/persistent-chat-server.md section 7 (ChatUsageReport).
    """

    def __init__(
        self,
        store: IStore,
        directory: LocalDirectory,
        tree: NodeTree,
        clock: IReactorTime,
        gate: SearchGate,
    ) -> None:
        self._store = store
        self._directory = directory
        self._tree = tree
        self._clock = clock
        self._gate = gate

    async def report(self, *, days: int = DAYS, top: int = TOP) -> Shown:
        """Report on the last days.

        Args:
            days: How many days, today included.
            top: Rooms and users in each list.

        Returns:
            ``since``, ``until``, ``messages``; ``top_rooms``, ``least_active_rooms``, ``silent_rooms`` (those
            without a message in that time, the longest silent first; all of them are counted in
            ``silent_rooms_total``), ``top_users``; ``daily``, ``weekly`` and ``monthly`` numbers of messages.

        Raises:
            AdministrationRefused: A number is out of its range.
            StoreUnavailable: The store is busy with searches.
        """
        for name, value, most in (("days", days, MOST_DAYS), ("top", top, MOST_TOP)):
            if not 1 <= value <= most:
                raise AdministrationRefused(
                    ResponseCode.ERROR_INVALID_ARGUMENT, f"{name} must be from 1 to {most}, not {value}"
                )
        now = ticks.from_unix(self._clock.seconds())
        since = now - now % ticks.TICKS_PER_DAY - (days - 1) * ticks.TICKS_PER_DAY
        usage: Usage = await self._gate.run(partial(self._store.read, count_usage, since, now, top))
        busy = [entry for entry in usage.rooms if entry.messages]
        silent = sorted((entry for entry in usage.rooms if not entry.messages), key=lambda one: one.last_ts)
        return {
            "since": ticks.to_iso(since),
            "until": ticks.to_iso(now),
            "messages": sum(count for _, count in usage.days),
            "top_rooms": self._rooms(busy[:top]),
            "least_active_rooms": self._rooms(list(reversed(busy))[:top]),
            "silent_rooms": self._rooms(silent[:top]),
            "silent_rooms_total": len(silent),
            "top_users": [self._user(number, count) for number, count in usage.users],
            **_trends(usage, _day(since), _day(now)),
        }

    def _rooms(self, entries: Iterable[RoomUsage]) -> list[Shown]:
        found = []
        for entry in entries:
            room = self._tree.room_by_id(entry.room_id)
            if room is not None:  # removed a moment ago
                found.append(_room(room, entry))
        return found

    def _user(self, number: int, count: int) -> Shown:
        user = self._directory.by_id(number)
        return {
            "uri": user.uri if user else "",
            "display_name": user.shown_name if user else "",
            "messages": count,
        }


def _room(room: Room, entry: RoomUsage) -> Shown:
    return {
        "uri": room.uri,
        "name": room.name,
        "category": room.category.name,
        "messages": entry.messages,
        "last_message": ticks.to_iso(entry.last_ts) if entry.last_ts else None,
    }


def _day(moment: int) -> date:
    return date.fromordinal(moment // ticks.TICKS_PER_DAY + 1)


def _trends(usage: Usage, first: date, last: date) -> dict[str, Any]:
    """Count by day, by week (from its Monday) and by month; times without a message are there too."""
    counted = {date.fromordinal(number + 1): count for number, count in usage.days}
    daily: Counter[str] = Counter()
    weekly: Counter[str] = Counter()
    monthly: Counter[str] = Counter()
    for offset in range((last - first).days + 1):
        day = first + timedelta(offset)
        count = counted.get(day, 0)
        daily[day.isoformat()] += count
        weekly[(day - timedelta(day.weekday())).isoformat()] += count
        monthly[day.isoformat()[:7]] += count
    return {
        name: [{"from": start, "messages": count} for start, count in counter.items()]
        for name, counter in (("daily", daily), ("weekly", weekly), ("monthly", monthly))
    }
