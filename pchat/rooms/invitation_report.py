"""The invitations of a user, for administrators.

Source: docs/spec/persistent-chat-server.md section 7 (A-3).
"""

from __future__ import annotations

from pchat import ticks
from pchat.interfaces import IStore
from pchat.rooms.people_administration import PeopleAdministration
from pchat.rooms.room import Room
from pchat.rooms.shown import Shown
from pchat.rooms.tree import NodeTree
from pchat.store.invitations import Invitation, InvitationPage, invitations_after


class InvitationReport:
    """Tells who was invited where.

    Args:
        store: The chat store.
        people: Finds users.
        tree: Rooms.
    """

    def __init__(self, store: IStore, people: PeopleAdministration, tree: NodeTree) -> None:
        self._store = store
        self._people = people
        self._tree = tree

    async def list_invitations(self, uri: str, *, limit: int, offset: int) -> tuple[list[Shown], bool]:
        """List the live invitations of a user, the oldest first; also those that he is not told of now.

        Args:
            uri: His address.
            limit: The most that are wanted.
            offset: How many are passed over.

        Returns:
            They, without those whose room is just removed, and whether there are more after ``limit``.

        Raises:
            AdministrationRefused: There is no such account.
        """
        user = self._people.user(uri)
        # One more than wanted tells whether others follow.
        page: InvitationPage = await self._store.read(invitations_after, user.id, 0, offset + limit + 1)
        rows = page.invitations[offset:]
        known = [(row, self._tree.room_by_id(row.room_id)) for row in rows[:limit]]
        # A room that is missing was removed a moment ago.
        return [_shown(row, room) for row, room in known if room is not None], len(rows) > limit


def _shown(row: Invitation, room: Room) -> Shown:
    return {
        "invite_id": row.invite_id,
        "room": room.name,
        "room_uri": room.uri,
        "created_on": ticks.to_iso(row.created_on),
    }
