"""The permission rules written a second time, as short as possible, to compare the real ones with.

It knows nothing of the real classes: people, groups of people and rooms are names and sets of names.
Source: docs/spec/persistent-chat-server.md sections 3.2 to 3.4 and 4.8.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class World:
    """One user and one room, and every list that matters between them; ``names`` are all the user's names."""

    names: frozenset[str]
    active: bool
    own_policy: bool | None
    global_policy: bool
    allowed: frozenset[str]
    denied: frozenset[str]
    creators: frozenset[str]
    members: frozenset[str]
    managers: frozenset[str]
    presenters: frozenset[str]
    privacy: str
    auditorium: bool
    disabled: bool

    def on(self, granted: frozenset[str]) -> bool:
        return any(name in granted for name in self.names)

    @property
    def chat_is_on(self) -> bool:
        return self.active and (self.global_policy if self.own_policy is None else self.own_policy)

    @property
    def inside(self) -> bool:
        return self.chat_is_on and self.on(self.allowed) and not self.on(self.denied)

    @property
    def manager(self) -> bool:
        return self.inside and self.on(self.managers)

    @property
    def member(self) -> bool:
        return self.inside and (self.privacy == "open" or self.on(self.members))

    @property
    def knows(self) -> bool:
        """Whether the room exists for him at all, be it disabled or not."""
        return self.inside and (self.privacy != "secret" or self.member or self.manager)

    @property
    def sees(self) -> bool:
        return self.knows and not self.disabled

    @property
    def joins(self) -> bool:
        return self.member and not self.disabled

    @property
    def posts(self) -> bool:
        return self.joins and (not self.auditorium or self.on(self.presenters))

    @property
    def creates(self) -> bool:
        return self.inside and self.on(self.creators)

    def answer_to(self, may: bool) -> str:
        """What a question that needs a right is answered with."""
        if not self.knows:
            return "ERROR_NO_SUCH_NODE" if self.privacy == "secret" else "ERROR_PERMISSION"
        if self.disabled:
            return "ERROR_NODE_DISABLED"
        return "SUCCESS_OK" if may else "ERROR_PERMISSION"
