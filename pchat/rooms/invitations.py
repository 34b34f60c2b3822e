"""Invitations: told at once to whoever is connected, and listed for a client that asks since a number.

Source: docs/spec/persistent-chat-server.md 4.7 (F-13); docs/spec/xccos.md 3.7 and chapter 10.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from zope.interface import implementer

from pchat import ticks
from pchat.rooms.observers import ChangeObserver, IChangeObserver
from pchat.sip.dialog import info_payload
from pchat.store.invitations import Invitation, InvitationPage, invitations_after
from pchat.xccos.codes import ResponseCode
from pchat.xccos.person_commands import InvitationsSince
from pchat.xccos.writer import EnvelopeIds, invitation, invitation_cursor, limit_exceeded, notice

if TYPE_CHECKING:
    from pchat.directory.local import LocalDirectory
    from pchat.directory.people import Principal
    from pchat.interfaces import IStore
    from pchat.rooms.access import Access
    from pchat.rooms.blocks import Blocks
    from pchat.rooms.room import Room
    from pchat.rooms.service import Sessions
    from pchat.rooms.session import ChatSession
    from pchat.rooms.settings import Settings
    from pchat.rooms.tree import NodeTree
    from pchat.xccos.parser import Command


@implementer(IChangeObserver)
class Invitations(ChangeObserver):
    """Tells users what rooms they were invited to, as far as they may see them now.

    Args:
        store: Keeps the invitations.
        tree: The node tree.
        access: Who may see what.
        settings: Limits.
        blocks: Wire forms of rooms.
        directory: People by id.
        sessions: Who is connected.
        envelope_ids: Numbers of our envelopes.
    """

    def __init__(
        self,
        store: IStore,
        tree: NodeTree,
        access: Access,
        settings: Settings,
        blocks: Blocks,
        directory: LocalDirectory,
        sessions: Sessions,
        envelope_ids: EnvelopeIds,
    ) -> None:
        self._store = store
        self._tree = tree
        self._access = access
        self._settings = settings
        self._blocks = blocks
        self._directory = directory
        self._sessions = sessions
        self._envelope_ids = envelope_ids

    async def cmd_getinv(self, session: ChatSession, command: Command, wish: InvitationsSince) -> None:
        """List a user's invitations after the last one his client knows, oldest first."""
        limit = self._settings.search_limit
        found, last = await self._visible_after(session.user, wish.since, limit + 1)
        exceeded = len(found) > limit
        if exceeded:
            found = found[:limit]
            last = found[-1][0].invite_id
        data = "".join(
            invitation(self._blocks.describe(room), row.invite_id, ticks.to_iso(row.created_on))
            for row, room in found
        )
        session.reply(
            command,
            ResponseCode.SUCCESS_OK,
            invitation_cursor(last, self._tree.domain) + data + (limit_exceeded() if exceeded else ""),
        )

    async def _visible_after(
        self, user: Principal, since: int, most: int
    ) -> tuple[Sequence[tuple[Invitation, Room]], int]:
        """Find the first invitations whose rooms a user may enter, and the last number he was given.

        Invitations to rooms that he may not enter count for nothing, so the store is asked until there
        are enough of the others.
        """
        rows: list[Invitation] = []
        while True:
            page: InvitationPage = await self._store.read(invitations_after, user.id, since, most)
            rows += page.invitations
            found = self._visible(user, rows)
            if len(found) >= most or len(page.invitations) < most:
                return found, page.last
            rows = [row for row, _ in found]
            since = page.invitations[-1].invite_id

    def _visible(self, user: Principal, rows: Sequence[Invitation]) -> list[tuple[Invitation, Room]]:
        found = []
        for row in rows:
            room = self._tree.room_by_id(row.room_id)
            if room is not None and self._access.refusal_to_join(user, room) is None:
                found.append((row, room))
        return found

    def invited(self, room: Room, invitations: Mapping[int, int]) -> None:
        """Tell every endpoint of those who are connected."""
        shown = self._blocks.room(room)
        # The notices of people whose invitations have the same number are the same bytes.
        rendered: dict[int, bytes] = {}
        for principal_id, number in invitations.items():
            user = self._directory.by_id(principal_id)
            if user is None:
                continue
            sessions = self._sessions.of(user)
            if not sessions or self._access.refusal_to_join(user, room) is not None:
                continue
            if number not in rendered:
                data = invitation_cursor(number, self._tree.domain) + shown
                rendered[number] = info_payload(notice(self._envelope_ids.next(), "invite", data))
            for session in sessions:
                session.send(rendered[number])
