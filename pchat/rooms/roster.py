"""Who is in a room here, and whether comings and goings are told.

Above the participant update limit a room is *large*: notices and rosters stop. Below 80 % of it they
begin again, and everybody present is brought up to date.

Source: docs/spec/persistent-chat-server.md F-3, F-4; docs/operating.md ("Large rooms").
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import TYPE_CHECKING

from attrs import define, field, frozen

if TYPE_CHECKING:
    from pchat.directory.people import Principal
    from pchat.rooms.room import Room
    from pchat.rooms.session import ChatSession

#: A large room becomes normal again when fewer than this share of the limit are left.
RESUME_SHARE = 0.8


@frozen
class CatchUp:
    """What a session must be told when its room is no longer large.

    Args:
        session: Who must be told.
        joined: Principal ids of users present that it does not know of.
        parted: Principal ids of users it still believes present.
        changed: Principal ids of users it knows whose rights are others by now.
    """

    session: ChatSession
    joined: tuple[int, ...]
    parted: tuple[int, ...] = ()
    changed: tuple[int, ...] = ()


@define(eq=False)
class Roster:
    """The sessions joined to one room on this server, in the order of joining.

    Args:
        room: The room.
        limit: The participant update limit, in users.
    """

    room: Room
    limit: int
    large: bool = False
    sessions: dict[ChatSession, int] = field(factory=dict)
    _endpoints: dict[int, int] = field(factory=dict)
    _reserved: dict[int, int] = field(factory=dict)
    #: Users whose join event the store has.
    recorded: set[int] = field(factory=set)
    #: What permission mask each user present has, as those in the room are told it.
    masks: dict[int, int] = field(factory=dict)
    #: Counts up with everything that changes who is shown here, and with which mask.
    revision: int = 0
    # Users everybody knew when the room became large, with their masks; sessions that came later know nobody.
    _known: dict[int, int] = field(factory=dict)
    _early: set[ChatSession] = field(factory=set)

    # -- what the store is told: counted when a change is submitted, since commits keep that order

    def reserve(self, principal_id: int) -> bool:
        """Count an endpoint that is about to join; True when the user had none here."""
        count = self._reserved.get(principal_id, 0)
        self._reserved[principal_id] = count + 1
        return count == 0

    def release(self, principal_id: int) -> bool:
        """Count an endpoint that leaves or failed to join; True when the user has none left."""
        count = self._reserved[principal_id] - 1
        if count:
            self._reserved[principal_id] = count
        else:
            del self._reserved[principal_id]
            self.recorded.discard(principal_id)
        return count == 0

    @property
    def idle(self) -> bool:
        """Nobody is in the room or on the way in."""
        return not self._reserved and not self.sessions

    # -- what sessions see

    def users(self) -> Collection[Principal]:
        """Tell the users present."""
        return {session.user.id: session.user for session in self.sessions}.values()

    def sessions_of(self, users: Iterable[Principal]) -> Iterator[tuple[Principal, ChatSession]]:
        """Tell the endpoints here of some users."""
        wanted = {user.id: user for user in users}
        return ((wanted[user_id], one) for one, user_id in self.sessions.items() if user_id in wanted)

    def __len__(self) -> int:
        return len(self._endpoints)

    def holds(self, principal_id: int) -> bool:
        """Tell whether a user is present."""
        return principal_id in self._endpoints

    def add(self, session: ChatSession, mask: int) -> bool:
        """Add a session that is not in the roster yet.

        Args:
            session: The session.
            mask: Permission mask of its user in the room.

        Returns:
            Whether the others are told (a new user, and the room is not large).
        """
        user_id = session.user.id
        self.sessions[session] = user_id
        count = self._endpoints.get(user_id, 0)
        if count == 0 and not self.large and len(self._endpoints) + 1 > self.limit:
            self._become_large()
            self._early.discard(session)
        self._endpoints[user_id] = count + 1
        if count:
            return False
        self.masks[user_id] = mask
        self.revision += 1
        return not self.large

    def set_mask(self, user_id: int, mask: int) -> bool:
        """Take the permission mask that a user present has by now; tell whether it is another one."""
        if self.masks[user_id] == mask:
            return False
        self.masks[user_id] = mask
        self.revision += 1
        return True

    def remove(self, session: ChatSession) -> tuple[bool, list[CatchUp]]:
        """Remove a session that is in the roster.

        Returns:
            Whether the others are told that the user left, and what they must be told if the room
            became normal again just now.
        """
        user_id = self.sessions.pop(session)
        # Who comes again while the room is large knows as little as anybody who comes then.
        self._early.discard(session)
        count = self._endpoints[user_id] - 1
        if count:
            self._endpoints[user_id] = count
            return False, []
        del self._endpoints[user_id], self.masks[user_id]
        self.revision += 1
        if not self.large:
            return True, []
        if len(self._endpoints) >= self.limit * RESUME_SHARE:
            return False, []
        return False, self._become_normal()

    def set_limit(self, limit: int) -> list[CatchUp]:
        """Take a new participant update limit."""
        self.limit = limit
        if self.large and len(self._endpoints) < limit * RESUME_SHARE:
            return self._become_normal()
        if not self.large and len(self._endpoints) > limit:
            self._become_large()
        return []

    def _become_large(self) -> None:
        self.large, self._known, self._early = True, dict(self.masks), set(self.sessions)

    def _become_normal(self) -> list[CatchUp]:
        present = tuple(self._endpoints)
        missing = tuple(user_id for user_id in present if user_id not in self._known)
        ghosts = tuple(sorted(self._known.keys() - self._endpoints.keys()))
        changed = tuple(
            user_id
            for user_id in present
            if self._known.get(user_id, self.masks[user_id]) != self.masks[user_id]
        )
        catch_up = [
            CatchUp(session, missing, ghosts, changed)
            if session in self._early
            else CatchUp(session, present)
            for session in self.sessions
        ]
        self.large, self._known, self._early = False, {}, set()
        return [entry for entry in catch_up if entry.joined or entry.parted or entry.changed]


class Rosters:
    """The rosters of all rooms where somebody is; empty ones are forgotten."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._by_room: dict[int, Roster] = {}

    def __iter__(self) -> Iterator[Roster]:
        return iter(list(self._by_room.values()))

    def of(self, room: Room) -> Roster:
        """Return the roster of a room, made on first use."""
        roster = self._by_room.get(room.id)
        if roster is None:
            roster = self._by_room[room.id] = Roster(room, self.limit)
        return roster

    def find(self, room_id: int) -> Roster | None:
        """Return the roster of a room if anybody is in it."""
        return self._by_room.get(room_id)

    def user_count(self, room_id: int) -> int:
        """Tell how many users are in a room."""
        roster = self._by_room.get(room_id)
        return 0 if roster is None else len(roster)

    def forget_if_idle(self, roster: Roster) -> None:
        """Drop a roster that nobody needs."""
        if roster.idle:
            self._by_room.pop(roster.room.id, None)
