"""A server and the rules, side by side, and what administrators do to both."""

from __future__ import annotations

from collections.abc import Coroutine, Iterable
from copy import deepcopy
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    rule,
)

from pchat.errors import AdministrationRefused
from pchat.rooms.room import Role, Room
from pchat.testing.memory import now_or_never
from tests.model import rules as model
from tests.model.endpoint import Endpoint
from tests.model.rules import EVERYBODY, OK, ROLES, Rules
from tests.rooms.service_support import ACTOR, World

#: Messages that a question for history answers unless it says otherwise.
HISTORY = 30
MOST_ROOMS = 6

USERS = ("alice", "bob", "carol", "dave")
GROUPS = ("#one", "#two")
CATEGORIES = ("North", "South")
ROOMS = ("Attic", "Bar", "Cellar")
PRINCIPALS = (*USERS, *GROUPS, EVERYBODY)

endpoints = st.integers(0, len(USERS))  # the first user has two
picks = st.integers(0, 1_000)
users = st.sampled_from(USERS)
groups = st.sampled_from(GROUPS)
categories = st.sampled_from(CATEGORIES)
rooms = st.sampled_from(ROOMS)
roles = st.sampled_from(ROLES)
principals = st.sampled_from(PRINCIPALS)
lists = st.sets(principals, max_size=3)
privacies = st.sampled_from(["open", "closed", "secret"])
#: A room that does not exist is answered as a secret one that one may not know.
NOWHERE = "ma-chan://example.com/00000000-0000-4000-8000-000000000000"
WIRE_PRIVACY = {"open": "OPEN", "closed": "SCOPED", "secret": "PRIVATE"}


def written(principal: str) -> str:
    """Write a principal as an operator does."""
    if principal == EVERYBODY:
        return "example.com"
    return principal.removeprefix("#") if principal.startswith("#") else f"sip:{principal}@example.com"


class Pool(RuleBasedStateMachine):
    """A server and the rules, side by side."""

    #: Steps of all days so far.
    steps = 0

    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.administration = self.world.administration
        self.law = Rules(policy=True)
        self.before = Rules()
        self.endpoints: list[Endpoint] = []
        #: A post that the store has not taken yet: who, where, text, revision of its decision.
        self.flying: tuple[Endpoint, str, str, int] | None = None
        self.said = self.made = 0
        #: What was said in each room, in its order.
        self.kept: dict[str, list[str]] = {name: [] for name in ROOMS}
        self._furnish()
        guids = {name: self.room(name).guid for name in ROOMS}
        self.endpoints = [Endpoint(user, self.world.connect, guids) for user in (USERS[0], *USERS)]
        for endpoint in self.endpoints:
            assert endpoint.sign_in() == (200, 200)

    def _furnish(self) -> None:
        for user in USERS:
            self.world.add_user(user)
            self.law.accounts[user] = True
        for group in GROUPS:
            now_or_never(self.administration.groups.add_group(ACTOR, written(group)))
            self.law.groups[group] = set()
        for category in CATEGORIES:
            now_or_never(
                self.administration.categories.add_category(ACTOR, category, allowed=["example.com"])
            )
            self.law.categories[category] = model.Category({EVERYBODY})
        for name, privacy in zip(ROOMS, ("open", "closed", "secret"), strict=True):
            self.world.add_room(name, privacy, category=CATEGORIES[0])
            self.law.rooms[name] = model.Room(CATEGORIES[0], privacy)
        self.put_in_group("#one", "carol")
        for name in ROOMS:
            for role, who in (
                ("member", "alice"),
                ("member", "bob"),
                ("member", "#one"),
                ("manager", "alice"),
            ):
                self.grant(name, role, who)
        for category in CATEGORIES:
            self.set_scope(category, {EVERYBODY}, set(), {"alice"})

    def room(self, name: str) -> Room:
        """Find a room of the server."""
        found = self.world.parts.base.tree.room_by_name(name)
        assert found is not None
        return found

    # -- after each step

    def administered(self, work: Coroutine[Any, Any, Any], expected: str) -> None:
        """Do something as an administrator; it must be answered as the rules say."""
        answer = OK
        try:
            now_or_never(work)
        except AdministrationRefused as refused:
            answer = refused.code.symbol
        assert answer == expected, f"{answer}, not {expected}"
        self.look()

    def look(self, *named: str) -> None:
        """See that everybody was told what the rules say, and nothing else."""
        self.world.settle(*(one.person for one in self.endpoints if one.person is not None))
        due = {endpoint: self.leaving(endpoint) for endpoint in self.endpoints if endpoint.person}
        for endpoint, expected in due.items():
            if not self.law.chat_is_on(endpoint.user):
                assert endpoint.person is not None
                assert endpoint.person.closed, f"{endpoint.user} is still here"
                endpoint.person, endpoint.rosters, endpoint.owed = None, {}, []
                continue
            told = endpoint.listen(self.law, self.before, named)
            assert told == expected, f"{endpoint.user} was put out of {told}, not {expected}"
        for endpoint in due:
            for name in endpoint.rooms:
                assert endpoint.rosters[name] == self.present(name), (endpoint.user, name)
        self.before = deepcopy(self.law)

    def leaving(self, endpoint: Endpoint) -> dict[str, str]:
        """Tell the rooms that an endpoint may no longer be in, with the notice that it gets."""
        return {
            name: "ntc:chandisable" if self.law.rooms[name].disabled else "ntc:kick"
            for name in endpoint.rooms
            if self.law.to_join(endpoint.user, name) != OK
        }

    def present(self, name: str) -> set[str]:
        """Tell who is in a room."""
        return {endpoint.user for endpoint in self.endpoints if name in endpoint.rooms}

    @invariant()
    def count(self) -> None:
        """Count the steps."""
        type(self).steps += 1

    # -- what administrators do

    @rule(name=rooms, role=roles, who=principals)
    def grant(self, name: str, role: str, who: str) -> None:
        work = self.administration.rooms.add_role(ACTOR, name, Role(role), [written(who)])
        self.administered(work, self.law.grant(name, role, who))

    @rule(name=rooms, role=roles, who=principals)
    def revoke(self, name: str, role: str, who: str) -> None:
        work = self.administration.rooms.remove_role(ACTOR, name, Role(role), [written(who)])
        self.administered(work, self.law.revoke(name, role, who))

    @rule(name=rooms, privacy=st.none() | privacies, auditorium=st.none() | st.booleans())
    def reshape(self, name: str, privacy: str | None, auditorium: bool | None) -> None:
        behavior = None if auditorium is None else ("auditorium" if auditorium else "normal")
        work = self.administration.rooms.change_room(ACTOR, name, privacy=privacy, behavior=behavior)
        self.administered(work, self.law.change(name, privacy=privacy, auditorium=auditorium))

    @rule(name=rooms, category=categories)
    def move(self, name: str, category: str) -> None:
        work = self.administration.rooms.move_room(ACTOR, name, category)
        self.administered(work, self.law.change(name, category=category))

    @rule(name=rooms, disabled=st.booleans())
    def switch_room(self, name: str, disabled: bool) -> None:
        verb = self.administration.rooms.disable_room if disabled else self.administration.rooms.enable_room
        self.administered(verb(ACTOR, name), self.law.change(name, disabled=disabled))

    @rule(name=categories, allowed=lists, denied=st.just(set()) | lists, creators=st.none() | lists)
    def set_scope(self, name: str, allowed: set[str], denied: set[str], creators: set[str] | None) -> None:
        work = self.administration.categories.change_category(
            *(ACTOR, name),
            allowed=_written(allowed),
            denied=_written(denied),
            creators=None if creators is None else _written(creators),
        )
        self.administered(work, self.law.set_scope(name, allowed, denied, creators))

    @rule(name=categories)
    def open_scope(self, name: str) -> None:
        """Let everybody in again; else most of a long day would pass outside."""
        self.set_scope(name, {EVERYBODY}, set(), None)

    @rule(group=groups, who=st.sampled_from((*USERS, *GROUPS)))
    def put_in_group(self, group: str, who: str) -> None:
        work = self.administration.groups.add_members(ACTOR, written(group), [written(who)])
        self.administered(work, self.law.put_in_group(group, who))

    @rule(group=groups, who=st.sampled_from((*USERS, *GROUPS)))
    def take_from_group(self, group: str, who: str) -> None:
        work = self.administration.groups.remove_members(ACTOR, written(group), [written(who)])
        self.administered(work, self.law.take_from_group(group, who))

    @rule(user=users, enabled=st.booleans())
    def switch_account(self, user: str, enabled: bool) -> None:
        people = self.administration.people
        verb = people.enable_user if enabled else people.disable_user
        expected = model.BAD if self.law.accounts[user] == enabled else OK
        self.law.accounts[user] = enabled
        self.administered(verb(ACTOR, written(user)), expected)

    @rule(user=users, enabled=st.booleans())
    def set_policy(self, user: str, enabled: bool) -> None:
        self.law.policies[user] = enabled
        self.administered(self.administration.people.set_policy(ACTOR, enabled, uri=written(user)), OK)

    @rule(enabled=st.sampled_from([True, True, True, False]))
    def set_global_policy(self, enabled: bool) -> None:
        self.law.policy = enabled
        self.administered(self.administration.people.set_policy(ACTOR, enabled), OK)

    @rule(name=categories)
    def remove_new(self, name: str) -> None:
        """Remove the rooms that were made in a category."""
        for made in [
            one for one, room in self.law.rooms.items() if one not in ROOMS and room.category == name
        ]:
            del self.law.rooms[made]
            del self.before.rooms[made]
            self.administered(self.administration.rooms.remove_room(ACTOR, made), OK)


def _written(principals: Iterable[str]) -> list[str]:
    return [written(principal) for principal in sorted(principals)]
