"""The permission rules of the channel service, to be read in one sitting.

Nothing here knows the server. People are words (``alice``), groups begin with ``#``, ``everybody`` is the
domain; lists are sets of such names. Each method that changes something returns the word that the
server must answer with, and changes nothing unless that is `OK`.

Source: docs/spec/persistent-chat-server.md sections 3.2 to 3.5, 4.3 and 4.8.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

OK = "SUCCESS_OK"
BAD = "ERROR_INVALID_ARGUMENT"
FORBIDDEN = "ERROR_PERMISSION"
NO_NODE = "ERROR_NO_SUCH_NODE"
NO_PRINCIPAL = "ERROR_NO_SUCH_PRINCIPAL"
THERE = "ERROR_PRINCIPALS_ALREADY_DEFINED"
OUTSIDE = "ERROR_PRINCIPALS_NOT_IN_SCOPE"
NOT_MEMBER = "ERROR_PRESENTER_NOT_MEMBER"
DISABLED = "ERROR_NODE_DISABLED"
NOT_JOINED = "ERROR_USER_NOT_JOINED"

EVERYBODY = "everybody"
MEMBERS, MANAGERS, PRESENTERS = ROLES = ("member", "manager", "presenter")


@dataclass
class Category:
    """A category: who is allowed, who is denied, who may create rooms."""

    allowed: set[str] = field(default_factory=set)
    denied: set[str] = field(default_factory=set)
    creators: set[str] = field(default_factory=set)


@dataclass
class Room:
    """A room: where it is, what it is, and its role lists."""

    category: str
    privacy: str = "closed"
    auditorium: bool = False
    disabled: bool = False
    lists: dict[str, set[str]] = field(default_factory=lambda: {role: set() for role in ROLES})


@dataclass
class Rules:
    """The whole pool."""

    accounts: dict[str, bool] = field(default_factory=dict)
    policies: dict[str, bool] = field(default_factory=dict)
    policy: bool = False
    groups: dict[str, set[str]] = field(default_factory=dict)
    categories: dict[str, Category] = field(default_factory=dict)
    rooms: dict[str, Room] = field(default_factory=dict)

    # -- who somebody is

    def names(self, who: str) -> set[str]:
        """All names under which somebody may have been granted something."""
        found, new = {EVERYBODY}, {who}
        while new:
            found |= new
            new = {group for group, members in self.groups.items() if members & found} - found
        return found

    def on(self, who: str, granted: set[str]) -> bool:
        """Whether a list names somebody, himself or through anything that he is part of."""
        return bool(self.names(who) & granted)

    def chat_is_on(self, user: str) -> bool:
        """P-16: nobody chats unless a policy says so; his own beats the global one."""
        return self.accounts.get(user, False) and self.policies.get(user, self.policy)

    # -- what somebody may

    def in_scope(self, who: str, category: Category) -> bool:
        """P-1: allowed and not denied, whatever path put him there."""
        return self.on(who, category.allowed) and not self.on(who, category.denied)

    def inside(self, user: str, room: Room) -> bool:
        return self.chat_is_on(user) and self.in_scope(user, self.categories[room.category])

    def member(self, user: str, room: Room) -> bool:
        """3.2: in an open room everybody in scope counts as a member."""
        return self.inside(user, room) and (room.privacy == "open" or self.on(user, room.lists[MEMBERS]))

    def manager(self, user: str, room: Room) -> bool:
        return self.inside(user, room) and self.on(user, room.lists[MANAGERS])

    def presenter(self, user: str, room: Room) -> bool:
        """P-3: only in an auditorium, and only a member."""
        return room.auditorium and self.member(user, room) and self.on(user, room.lists[PRESENTERS])

    def knows(self, user: str, room: Room) -> bool:
        """P-13: a secret room exists for its members and managers only."""
        return self.inside(user, room) and (
            room.privacy != "secret" or self.member(user, room) or self.manager(user, room)
        )

    def finds(self, user: str, room: Room) -> bool:
        return self.knows(user, room) and not room.disabled

    def creates(self, user: str, category: Category) -> bool:
        return self.chat_is_on(user) and self.in_scope(user, category) and self.on(user, category.creators)

    def answer(self, user: str, name: str, may: bool) -> str:
        """What a question about a room is answered with, if asking it needs a right."""
        room = self.rooms.get(name)
        if room is None or (room.privacy == "secret" and not self.knows(user, room)):
            return NO_NODE
        if not self.knows(user, room):
            return FORBIDDEN
        if room.disabled:
            return DISABLED
        return OK if may else FORBIDDEN

    def to_join(self, user: str, name: str) -> str:
        """Join, read history, see who is there: members (P-6: a manager must be one)."""
        room = self.rooms.get(name)
        return self.answer(user, name, room is not None and self.member(user, room))

    def to_post(self, user: str, name: str) -> str:
        room = self.rooms.get(name)
        may = room is not None and self.member(user, room)
        if room is not None and room.auditorium:
            may = self.presenter(user, room)
        return self.answer(user, name, may)

    def to_see(self, user: str, name: str) -> str:
        """See the card and the role lists; F-14: of a disabled room, who manages it."""
        managed = self.to_manage(user, name) == OK
        return OK if managed else self.answer(user, name, True)

    def to_manage(self, user: str, name: str) -> str:
        """P-5; F-14: a manager still manages a disabled room."""
        room = self.rooms.get(name)
        if room is not None and self.manager(user, room):
            return OK
        refused = self.answer(user, name, False)
        return FORBIDDEN if refused == DISABLED else refused

    # -- changes of rooms and their roles

    def counts_as_member(self, who: str, room: Room) -> bool:
        return room.privacy == "open" or self.on(who, room.lists[MEMBERS])

    def settle(self, room: Room) -> None:
        """P-3, P-10, P-11: roles that a changed room may not have are taken away."""
        scope = self.categories[room.category]
        for role in (MEMBERS, MANAGERS, PRESENTERS):
            room.lists[role] = {
                who
                for who in room.lists[role]
                if self.in_scope(who, scope)
                and (role != PRESENTERS or (room.auditorium and self.counts_as_member(who, room)))
            }

    def grant(self, name: str, role: str, who: str) -> str:
        """P-2, P-3."""
        room = self.rooms[name]
        if who in room.lists[role]:
            return THERE
        if role == PRESENTERS and not room.auditorium:
            return BAD
        if not self.in_scope(who, self.categories[room.category]):
            return OUTSIDE
        if role == PRESENTERS and not self.counts_as_member(who, room):
            return NOT_MEMBER
        room.lists[role].add(who)
        return OK

    def revoke(self, name: str, role: str, who: str) -> str:
        room = self.rooms[name]
        if who not in room.lists[role]:
            return NO_PRINCIPAL
        room.lists[role].remove(who)
        self.settle(room)
        return OK

    def change(
        self,
        name: str,
        *,
        privacy: str | None = None,
        auditorium: bool | None = None,
        category: str | None = None,
        disabled: bool | None = None,
    ) -> str:
        room = self.rooms[name]
        if disabled == room.disabled:
            return BAD
        room.privacy = room.privacy if privacy is None else privacy
        room.auditorium = room.auditorium if auditorium is None else auditorium
        room.category = room.category if category is None else category
        room.disabled = room.disabled if disabled is None else disabled
        self.settle(room)
        return OK

    def create(self, user: str, name: str, category: str) -> str:
        """P-4: creators make rooms, closed and empty but for themselves as managers."""
        target = self.categories[category]
        if not self.chat_is_on(user) or not self.in_scope(user, target):
            return NO_NODE
        if not self.creates(user, target):
            return FORBIDDEN
        self.rooms[name] = Room(category)
        self.rooms[name].lists[MANAGERS].add(user)
        return OK

    def move_by(self, user: str, name: str, category: str) -> str:
        """P-5: a manager moves a room only where he is a creator."""
        refused = self.to_manage(user, name)
        if refused != OK:
            return refused
        if self.rooms[name].category != category:
            target = self.categories[category]
            if not self.chat_is_on(user) or not self.in_scope(user, target):
                return NO_NODE
            if not self.creates(user, target):
                return FORBIDDEN
        return self.change(name, category=category)

    # -- changes of scopes and groups

    def set_scope(
        self, name: str, allowed: Iterable[str], denied: Iterable[str], creators: Iterable[str] | None
    ) -> str:
        """P-2, P-11: creators must lie inside; those who fall out are dropped unless they are named."""
        before, wanted = self.categories[name], Category(set(allowed), set(denied))
        wanted.creators = before.creators if creators is None else set(creators)
        if creators is not None and not all(self.in_scope(who, wanted) for who in wanted.creators):
            return OUTSIDE
        wanted.creators = {who for who in wanted.creators if self.in_scope(who, wanted)}
        self.categories[name] = wanted
        for room in self.rooms.values():
            if room.category == name and not all(
                self.in_scope(who, wanted) for granted in room.lists.values() for who in granted
            ):
                self.settle(room)
        return OK

    def put_in_group(self, group: str, who: str) -> str:
        if who == group:
            return BAD
        if who in self.groups[group]:
            return THERE
        self.groups[group].add(who)
        return OK

    def take_from_group(self, group: str, who: str) -> str:
        if who not in self.groups[group]:
            return NO_PRINCIPAL
        self.groups[group].remove(who)
        return OK
