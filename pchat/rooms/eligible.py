"""Who could be given a role: the people and groups of a category's scope, or of a room."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from attrs import frozen

from pchat.directory.local import LocalDirectory
from pchat.directory.people import Principal, PrincipalKind, PrincipalState
from pchat.errors import AdministrationRefused
from pchat.rooms.access import Access
from pchat.rooms.category import Category
from pchat.rooms.names import NAME_CHARACTERS, fold
from pchat.rooms.room import Behavior, Privacy, Role, Room
from pchat.xccos.codes import ResponseCode

USERS = frozenset({PrincipalKind.USER})
USERS_AND_GROUPS = frozenset({PrincipalKind.USER, PrincipalKind.GROUP})


@frozen
class Criterion:
    """A text that names, URIs and mail addresses are compared with, in any case and normal form.

    Args:
        pieces: The folded text, cut at its asterisks; one piece is to be found anywhere.
    """

    pieces: tuple[str, ...] = ("",)

    @classmethod
    def of(cls, text: str) -> Criterion:
        """Read what somebody typed: part of a name, or with ``*`` for anything: ``sip:a*@example.com``.

        Raises:
            AdministrationRefused: It is longer than any name.
        """
        plain = text.strip()
        if len(plain) > NAME_CHARACTERS:
            raise AdministrationRefused(
                ResponseCode.ERROR_INVALID_ARGUMENT, f"a filter may have {NAME_CHARACTERS} characters"
            )
        return cls(tuple(fold(plain).split("*")))

    def matches(self, principal: Principal) -> bool:
        """Tell whether a principal's name, display name, URI (with or without its scheme) or mail fits."""
        if self.pieces == ("",):
            return True
        texts = (principal.display_name, principal.name, principal.email, principal.uri)
        if len(self.pieces) == 1:
            return any(self.pieces[0] in fold(text) for text in texts)
        plain = principal.uri.partition(":")[2]
        return any(text and self._fits(fold(text)) for text in (*texts, plain))

    def _fits(self, text: str) -> bool:
        first, *middle, last = self.pieces
        end = len(text) - len(last)
        if not text.startswith(first) or not text.endswith(last) or end < len(first):
            return False
        # The leftmost place of each piece leaves the most room to the next: no other need be tried.
        position = len(first)
        for piece in middle:
            position = text.find(piece, position, end)
            if position < 0:
                return False
            position += len(piece)
        return True


#: Fits everybody.
ANYBODY = Criterion()


class Eligible:
    """Finds who could be given a role; whoever is disabled or removed could not.

    Args:
        access: Decides who is in scope and who is covered by a list.
        directory: Who there is.

    Source: docs/spec/persistent-chat-server.md sections 3.3 (P-2, P-3) and 7; docs/spec/xccos.md section 10
        (``prinsrch``).
    """

    def __init__(self, access: Access, directory: LocalDirectory) -> None:
        self._access = access
        self._directory = directory

    def in_category(
        self,
        category: Category,
        criterion: Criterion = ANYBODY,
        kinds: Collection[PrincipalKind] = USERS,
        among: Iterable[Principal] | None = None,
    ) -> Iterator[Principal]:
        """Go through those in the scope of a category, in the order in which they were made.

        Args:
            category: Whose scope.
            criterion: What they are called.
            kinds: Users, groups, or both.
            among: Who is looked at; everybody if not said.
        """
        return (
            found for found in self.called(criterion, kinds, among) if self._access.in_scope(found, category)
        )

    def for_role(
        self,
        room: Room,
        role: Role,
        criterion: Criterion = ANYBODY,
        kinds: Collection[PrincipalKind] = USERS,
        among: Iterable[Principal] | None = None,
    ) -> Iterator[Principal]:
        """Go through those who could be given a role in a room, in the order in which they were made.

        Members and managers must be in scope; presenters, whom only an auditorium has, must be members too.

        Args:
            room: The room.
            role: The role.
            criterion: What they are called.
            kinds: Users, groups, or both.
            among: Who is looked at; everybody if not said.
        """
        in_scope = self.in_category(room.category, criterion, kinds, among)
        if role is not Role.PRESENTER:
            return in_scope
        if room.behavior is not Behavior.AUDITORIUM:
            return iter(())
        if room.privacy is Privacy.OPEN:
            return in_scope
        return (found for found in in_scope if self._access.covered(found, room.members))

    def called(
        self,
        criterion: Criterion = ANYBODY,
        kinds: Collection[PrincipalKind] = USERS,
        among: Iterable[Principal] | None = None,
    ) -> Iterator[Principal]:
        """Go through all active users (or groups) of a name, whatever scope they are in."""
        return (
            principal
            for principal in (self._directory.principals() if among is None else among)
            if principal.kind in kinds
            and principal.state is PrincipalState.ACTIVE
            and criterion.matches(principal)
        )
