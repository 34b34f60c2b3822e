"""The verb ``pchatctl eligible``: users who could be given a role in a category or a room."""

from __future__ import annotations

from pchat.directory.people import Principal
from pchat.errors import AdministrationRefused
from pchat.rooms.category_administration import CategoryAdministration
from pchat.rooms.committing import ChangeDesk
from pchat.rooms.eligible import Criterion, Eligible
from pchat.rooms.room import Role
from pchat.rooms.room_administration import RoomAdministration
from pchat.rooms.shown import Shown
from pchat.rooms.slices import in_slices
from pchat.xccos.codes import ResponseCode


class EligibleAdministration:
    """Lists eligible users for operators.

    Args:
        desk: Knows everybody.
        eligible: Finds them.
        categories: Finds categories.
        rooms: Finds rooms.

    Source: docs/spec/persistent-chat-server.md section 7 (Get-CsPersistentChatEligiblePrincipal).
    """

    def __init__(
        self,
        desk: ChangeDesk,
        eligible: Eligible,
        categories: CategoryAdministration,
        rooms: RoomAdministration,
    ) -> None:
        self._desk = desk
        self._eligible = eligible
        self._categories = categories
        self._rooms = rooms

    async def list_eligible(
        self,
        *,
        category: str | None = None,
        room: str | None = None,
        presenters: bool = False,
        text: str = "",
    ) -> list[Shown]:
        """List active users who could be given a role, in the order in which they were made.

        Args:
            category: Name or URI of a category: those in its scope.
            room: A room instead: those in the scope of its category.
            presenters: Those who could present in that room, an auditorium: members in scope.
            text: Part of a name, address or mail address, or with ``*`` for anything.

        Raises:
            AdministrationRefused: No such category or room, both or neither, presenters of a category.
        """
        if (category is None) == (room is None) or (presenters and room is None):
            raise AdministrationRefused(
                ResponseCode.ERROR_INVALID_ARGUMENT,
                "either a category or a room is needed; a category has no presenters",
            )
        criterion = Criterion.of(text)
        found: list[Principal] = []
        async for some in in_slices(list(self._desk.directory.users()), self._desk.pause):
            # Looked up anew for each slice: it may have been changed meanwhile, or removed.
            if category is not None:
                place = self._categories.category(category)
                found += self._eligible.in_category(place, criterion, among=some)
            else:
                role = Role.PRESENTER if presenters else Role.MEMBER
                found += self._eligible.for_role(self._rooms.room(room or ""), role, criterion, among=some)
        return [
            {
                "uri": user.uri,
                "name": user.name,
                "display_name": user.display_name,
                "company": user.company,
                "email": user.email,
            }
            for user in found
        ]
