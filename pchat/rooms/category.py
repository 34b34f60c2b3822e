"""A category in memory: the scope and the switches that its rooms inherit."""

from __future__ import annotations

from attrs import define, field

from pchat.store.rooms import CategoryRecord


@define(eq=False)
class Category:
    """A category: who may be put on any role list of its rooms, and what they inherit.

    There is one object a category, compared by identity; the tree changes it in place.
    ``allowed``, ``denied`` and ``creators`` hold numbers of principals; only `pchat.rooms.access`
    draws conclusions from them. Times are ticks.

    Source: docs/spec/persistent-chat-server.md section 2.2.
    """

    id: int
    guid: str
    uri: str
    name: str
    description: str = ""
    invitations: bool = False
    file_upload: bool = False
    logged: bool = True
    created_by: str = ""
    created_on: int = 0
    updated_by: str = ""
    updated_on: int = 0
    #: When role entries were last taken away because the scope or the room became narrower; 0 for never.
    purged_on: int = 0
    allowed: frozenset[int] = field(default=frozenset())
    denied: frozenset[int] = field(default=frozenset())
    creators: frozenset[int] = field(default=frozenset())

    def take_over(self, record: CategoryRecord) -> None:
        """Become what the store holds."""
        self.name = record.name
        self.description = record.description
        self.invitations = record.invitations
        self.file_upload = record.file_upload
        self.logged = record.logged
        self.created_by = record.created_by
        self.created_on = record.created_on
        self.updated_by = record.updated_by
        self.updated_on = record.updated_on
        self.purged_on = record.purged_on
        self.allowed = record.allowed
        self.denied = record.denied
        self.creators = record.creators
