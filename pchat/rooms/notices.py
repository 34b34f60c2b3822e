"""What people in a room are told of each other, and of the room.

Source: docs/spec/xccos.md 3.5, 3.6, 3.14 and chapter 10; docs/spec/sip-sign-in.md section 7.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from pchat.sip.dialog import info_payload
from pchat.xccos.room_writer import roles_notice
from pchat.xccos.writer import (
    EnvelopeIds,
    join_notice,
    notice,
    part_notice,
    room_reference,
)

if TYPE_CHECKING:
    from pchat.directory.local import LocalDirectory
    from pchat.directory.people import Principal
    from pchat.rooms.arrivals import Arrivals
    from pchat.rooms.blocks import Blocks
    from pchat.rooms.room import Room
    from pchat.rooms.roster import CatchUp, Roster, Rosters
    from pchat.rooms.session import ChatSession

#: Users of one notice. A client must answer each notice, and is dropped when too many wait for it.
USERS_PER_NOTICE = 100


class Notices:
    """Renders each notice once and sends it to whom it concerns.

    Args:
        rosters: Who is in which room.
        blocks: Wire forms of rooms and users.
        directory: People by id.
        envelope_ids: Numbers of our envelopes.
        arrivals: Decides whether newcomers are told one by one.
    """

    def __init__(
        self,
        rosters: Rosters,
        blocks: Blocks,
        directory: LocalDirectory,
        envelope_ids: EnvelopeIds,
        arrivals: Arrivals,
    ) -> None:
        self._rosters = rosters
        self._blocks = blocks
        self._directory = directory
        self._envelope_ids = envelope_ids
        self._arrivals = arrivals

    def _payload(self, name: str, data: str) -> bytes:
        return info_payload(notice(self._envelope_ids.next(), name, data))

    def joined(self, newcomer: ChatSession, rooms: Sequence[Room], *, batch: bool) -> None:
        """Tell the others of a newcomer: one notice a receiver, whatever the number of rooms.

        When many come at once it waits for a moment; see `pchat.rooms.arrivals`.
        """
        heard: dict[ChatSession, list[Roster]] = {}
        for room in rooms:
            roster = self._rosters.of(room)
            for session in roster.sessions:
                if session is not newcomer:
                    heard.setdefault(session, []).append(roster)
        crowded = self._arrivals.crowded(len(heard))
        # Receivers who share the same rooms share what is rendered.
        blocks: dict[tuple[bool, tuple[int, ...]], str] = {}
        payloads: dict[str, bytes] = {}
        for session, shared in heard.items():
            key = (session.legacy_masks, tuple([roster.room.id for roster in shared]))
            block = blocks.get(key)
            if block is None:
                block = blocks[key] = self._blocks.newcomer(newcomer.user, shared, session.legacy_masks)
            if crowded or session.arrivals:
                self._arrivals.gather(session, block)
                continue
            payload = payloads.get(block)
            if payload is None:
                payload = payloads[block] = self._payload("bjoin" if batch else "join", block)
            session.send(payload)

    def parted(self, user: Principal, roster: Roster) -> None:
        """Tell those who are left that a user is gone."""
        if not roster.sessions:
            return
        payload = self._payload("part", part_notice(roster.room.uri, [user.uri]))
        for session in list(roster.sessions):
            session.send(payload)

    def kicked(self, session: ChatSession, room: Room) -> None:
        """Tell a session that it is no longer in a room."""
        session.send(self._payload("kick", room_reference(room.uri)))

    def disabled(self, session: ChatSession, room: Room) -> None:
        """Tell a session that its room was closed for everybody."""
        session.send(self._payload("chandisable", room_reference(room.uri)))

    def room_changed(self, roster: Roster) -> None:
        """Show everybody in a room how it looks now."""
        payload = self._payload("chanmodify", self._blocks.room(roster.room))
        for session in list(roster.sessions):
            session.send(payload)

    def rights_changed(self, roster: Roster, users: Sequence[Principal]) -> None:
        """Tell everybody in the room of users who have another permission mask; in a large room only them."""
        if roster.large:
            for user, session in list(roster.sessions_of(users)):
                for payload in self._roles(roster, [user], session.legacy_masks):
                    session.send(payload)
            return
        rendered: dict[bool, list[bytes]] = {}
        for session in list(roster.sessions):
            legacy = session.legacy_masks
            if legacy not in rendered:
                rendered[legacy] = self._roles(roster, users, legacy)
            for payload in rendered[legacy]:
                session.send(payload)

    def _roles(self, roster: Roster, users: Sequence[Principal], legacy: bool) -> list[bytes]:
        room = roster.room
        told = [(user.uri, self._blocks.mask_in(user, room, legacy)) for user in users]
        return [
            self._payload("roles", roles_notice(room.uri, told[start : start + USERS_PER_NOTICE]))
            for start in range(0, len(told), USERS_PER_NOTICE)
        ]

    def catch_up(self, roster: Roster, entry: CatchUp) -> None:
        """Bring a session up to date with a room that is no longer large."""
        session, legacy = entry.session, entry.session.legacy_masks
        people = self._others(entry, entry.joined)
        if people:
            users = [
                (self._blocks.user(user), [self._blocks.mask_in(user, roster.room, legacy)])
                for user in people
            ]
            session.send(self._payload("join", join_notice(users)))
        # Of himself everybody was told at once.
        for payload in self._roles(roster, self._others(entry, entry.changed), legacy):
            session.send(payload)
        gone = [user.uri for number in entry.parted if (user := self._directory.by_id(number)) is not None]
        for start in range(0, len(gone), USERS_PER_NOTICE):
            some = gone[start : start + USERS_PER_NOTICE]
            session.send(self._payload("part", part_notice(roster.room.uri, some)))

    def _others(self, entry: CatchUp, numbers: Iterable[int]) -> list[Principal]:
        found = [user for number in numbers if (user := self._directory.by_id(number)) is not None]
        return [user for user in found if user is not entry.session.user]
