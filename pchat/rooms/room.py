"""A room in memory: its attributes and role lists, without its participants."""

from __future__ import annotations

from enum import Enum, IntEnum

from attrs import define, field

from pchat.rooms.category import Category
from pchat.rooms.names import fold
from pchat.store.rooms import RoomRecord


class Privacy(IntEnum):
    """Who may find and join a room; the numbers are those of the reference server's tblNode.

    Source: docs/spec/persistent-chat-server.md sections 2.3 and 3.2.
    """

    SECRET = 2
    CLOSED = 3
    OPEN = 6

    @property
    def word(self) -> str:
        """The operator's word: ``open``, ``closed`` or ``secret``."""
        return self.name.lower()

    @property
    def wire_word(self) -> str:
        """The word in a room block: ``OPEN``, ``SCOPED`` or ``PRIVATE``.

        Source: docs/spec/xccos.md chapter 10.
        """
        return {Privacy.OPEN: "OPEN", Privacy.CLOSED: "SCOPED", Privacy.SECRET: "PRIVATE"}[self]


class Behavior(IntEnum):
    """Who may post in a room; the numbers are those of the reference server's tblNode.

    Source: docs/spec/persistent-chat-server.md section 2.3.
    """

    NORMAL = 4
    AUDITORIUM = 5

    @property
    def word(self) -> str:
        """The operator's word: ``normal`` or ``auditorium``."""
        return self.name.lower()

    @property
    def wire_word(self) -> str:
        """The word in a room block: ``NORMAL`` or ``AUDITORIUM``."""
        return self.name


class Role(Enum):
    """The role lists of a room; the values are those of the store.

    Source: docs/spec/persistent-chat-server.md section 3.1.
    """

    MEMBER = "member"
    MANAGER = "manager"
    PRESENTER = "presenter"


@define(eq=False)
class Room:
    """A room as the store holds it.

    There is one object a room, compared by identity; the tree changes it in place. ``members``,
    ``managers`` and ``presenters`` hold numbers of principals; only `pchat.rooms.access` draws
    conclusions from them. ``last_chat_id`` is taken from the store when the room is loaded and from
    then on counted by whoever posts. Times are ticks.

    Source: docs/spec/persistent-chat-server.md section 2.3.
    """

    id: int
    guid: str
    uri: str
    category: Category
    name: str
    description: str = ""
    privacy: Privacy = Privacy.CLOSED
    behavior: Behavior = Behavior.NORMAL
    #: None inherits from the category, False switches off; nothing switches on against the category.
    invitations: bool | None = None
    addin_guid: str | None = None
    disabled: bool = False
    last_chat_id: int = 0
    created_by: str = ""
    created_on: int = 0
    updated_by: str = ""
    updated_on: int = 0
    #: When role entries were last taken away because the scope or the room became narrower; 0 for never.
    purged_on: int = 0
    #: As searches compare them; folding 33 000 names for each search would take too long.
    name_folded: str = ""
    description_folded: str = ""
    members: frozenset[int] = field(default=frozenset())
    managers: frozenset[int] = field(default=frozenset())
    presenters: frozenset[int] = field(default=frozenset())

    @property
    def logged(self) -> bool:
        """Whether messages are kept; the category decides."""
        return self.category.logged

    @property
    def file_upload(self) -> bool:
        """Whether files may be posted; the category decides."""
        return self.category.file_upload

    @property
    def invitations_on(self) -> bool:
        """Whether adding a member invites him: the category must allow it and the room not refuse it."""
        return self.category.invitations and self.invitations is not False

    def holders(self, role: Role) -> frozenset[int]:
        """Tell the principals on one role list."""
        if role is Role.MEMBER:
            return self.members
        return self.managers if role is Role.MANAGER else self.presenters

    def take_over(self, record: RoomRecord, category: Category) -> None:
        """Become what the store holds, but for the number of the last message."""
        self.category = category
        self.name = record.name
        self.description = record.description
        self.name_folded = fold(record.name)
        self.description_folded = fold(record.description)
        self.privacy = Privacy(record.privacy)
        self.behavior = Behavior(record.behavior)
        self.invitations = record.invitations
        self.addin_guid = record.addin_guid
        self.disabled = record.disabled
        self.created_by = record.created_by
        self.created_on = record.created_on
        self.updated_by = record.updated_by
        self.updated_on = record.updated_on
        self.purged_on = record.purged_on
        self.members = record.members
        self.managers = record.managers
        self.presenters = record.presenters
