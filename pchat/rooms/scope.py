"""The lists of a category as somebody wants them to be: who is allowed, denied, and may create rooms."""

from __future__ import annotations

from attrs import evolve, frozen

from pchat.rooms.category import Category


@frozen
class ScopeLists:
    """Numbers of principals.

    Source: docs/spec/persistent-chat-server.md section 2.2.
    """

    allowed: frozenset[int] = frozenset()
    denied: frozenset[int] = frozenset()
    creators: frozenset[int] = frozenset()

    @classmethod
    def of(cls, category: Category) -> ScopeLists:
        """Take the lists of a category as it is."""
        return cls(category.allowed, category.denied, category.creators)

    def __len__(self) -> int:
        """Count all entries."""
        return len(self.allowed) + len(self.denied) + len(self.creators)

    def pairs(self) -> set[tuple[str, int]]:
        """Tell all grants as pairs of list (as the store names them) and principal."""
        lists = {"allow": self.allowed, "deny": self.denied, "create": self.creators}
        return {(name, principal) for name, granted in lists.items() for principal in granted}

    def on(self, category: Category) -> Category:
        """Make a copy of a category that has these lists, to ask `pchat.rooms.access` about."""
        return evolve(category, allowed=self.allowed, denied=self.denied, creators=self.creators)
