"""Who is invited when member lists grow, and whose invitation goes when they shrink."""

from __future__ import annotations

from collections.abc import Sequence

from pchat.directory.local import LocalDirectory
from pchat.directory.people import Principal, PrincipalKind
from pchat.rooms.access import Access
from pchat.rooms.room import Room
from pchat.rooms.slices import Pause, in_slices


class Guests:
    """Finds the users behind the principals that come to a member list or leave it.

    Args:
        access: Who is covered by a list, and who may see a room.
        directory: Who there is.
        pause: Lets others have their turn while very many are gone through.

    Whoever asks holds the lock of the desk, so that nobody's standing changes during a pause.

    Source: docs/spec/persistent-chat-server.md section 4.7 (F-13).
    """

    def __init__(self, access: Access, directory: LocalDirectory, pause: Pause) -> None:
        self._access = access
        self._directory = directory
        self._pause = pause

    async def invited(self, room: Room, proposed: Room) -> list[int]:
        """Tell whom a change makes a member by list, if members of the room are invited.

        Args:
            room: The room as it is.
            proposed: The room as it will be; who may not see it then is not invited.
        """
        if not proposed.invitations_on:
            return []
        added, found = proposed.members - room.members, list[int]()
        async for some in in_slices(self._who(added), self._pause):
            found += (
                user.id
                for user in some
                if self._access.covered(user, added)
                and self._access.may_see(user, proposed)
                and not self._access.covered(user, room.members)
            )
        return found

    async def withdrawn(self, members: frozenset[int], kept: frozenset[int]) -> list[int]:
        """Tell whom a change makes a member by list no longer.

        Args:
            members: The member list as it is.
            kept: The member list as it will be.
        """
        removed, found = members - kept, list[int]()
        async for some in in_slices(self._who(removed), self._pause):
            found += (
                user.id
                for user in some
                if self._access.covered(user, removed) and not self._access.covered(user, kept)
            )
        return found

    def _who(self, numbers: frozenset[int]) -> Sequence[Principal]:
        """Tell who may be covered by principals."""
        named = [principal for number in numbers if (principal := self._directory.by_id(number)) is not None]
        if all(principal.kind is PrincipalKind.USER for principal in named):
            return named
        # Groups and domains are asked the other way round: everybody tells what he is part of.
        return list(self._directory.users())
