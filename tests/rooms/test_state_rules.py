"""Whatever administrators do, memory is exactly what a server that starts now would load."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pchat.errors import AdministrationRefused
from pchat.rooms.names import fold
from pchat.rooms.role_lists import RoleDelta, RoleLists, RoleRules, RoomShape
from pchat.rooms.room import Role
from pchat.xccos.codes import ResponseCode
from tests.rooms.rules_support import OPERATOR, Rules, result, state

USERS = ["alice", "bob", "carol"]
PRINCIPALS = [
    *(f"sip:{name}@example.com" for name in USERS),
    "example.com",
    "example.org",
    "nobody@example.com",
    "Traders",
    "floor",
]
GROUPS = ["Traders", "Floor", "FLOOR", ""]
CATEGORIES = ["North", "South", "south", "Caf\u00e9"]
ROOMS = ["Lobby", "LOBBY", "Vault", "Hall", "North", "Cafe\u0301", ""]

PAGE = "https://page.example.com/"

addins = st.sampled_from(["Wiki", "WIKI", "Board", ""])
users = st.sampled_from([*USERS, "dave"])
principals = st.lists(st.sampled_from(PRINCIPALS), max_size=3)
members = st.lists(st.sampled_from([*PRINCIPALS[:3], *GROUPS[:2]]), max_size=3)
groups = st.sampled_from(GROUPS)
categories = st.sampled_from(CATEGORIES)
rooms = st.sampled_from(ROOMS)
maybe = st.none() | st.booleans()
roles = st.sampled_from(list(Role))
privacies = st.sampled_from(["open", "closed", "secret"])
behaviors = st.sampled_from(["normal", "auditorium"])
#: Steps after which people may stand on lists to no effect: rights follow groups, lists stay.
MOVES = frozenset({"join group", "leave group", "remove group"})

Step = Callable[[Rules], Coroutine[Any, Any, Any]]


async def as_user(
    rules: Rules, name: str, verb: Callable[..., Coroutine[Any, Any, Any]], *args: Any, **given: Any
) -> Any:
    """Do something with the rights of a user, if he has not been removed."""
    user = rules.directory.by_uri(f"sip:{name}@example.com")
    if user is None:
        raise AdministrationRefused(ResponseCode.ERROR_NO_SUCH_PRINCIPAL, "he is gone")
    return await verb(user.uri, *args, user=user, **given)


def step(name: str, call: Callable[..., Coroutine[Any, Any, Any]], *values: st.SearchStrategy[Any]) -> Any:
    """Make a strategy for one kind of step."""

    def named(drawn: tuple[Any, ...]) -> tuple[str, tuple[Any, ...], Step]:
        return name, drawn, lambda rules: call(rules, *drawn)

    return st.tuples(*values).map(named)


steps = st.one_of(
    step("add user", lambda r, u: r.people.add_user(OPERATOR, f"{u}@example.com"), users),
    step("remove user", lambda r, u: r.people.remove_user(OPERATOR, f"{u}@example.com"), users),
    step("disable user", lambda r, u: r.people.disable_user(OPERATOR, f"{u}@example.com"), users),
    step("enable user", lambda r, u: r.people.enable_user(OPERATOR, f"{u}@example.com"), users),
    step("policy", lambda r, e: r.people.set_policy(OPERATOR, e), st.booleans()),
    step(
        "own policy",
        lambda r, u, e: r.people.set_policy(OPERATOR, e, uri=f"{u}@example.com"),
        users,
        st.booleans(),
    ),
    step(
        "add category",
        lambda r, c, a, d: r.categories.add_category(OPERATOR, c, allowed=a, denied=d),
        categories,
        principals,
        principals,
    ),
    step(
        "scope",
        lambda r, c, a, d, k: r.categories.change_category(OPERATOR, c, allowed=a, denied=d, creators=k),
        categories,
        st.none() | principals,
        st.none() | principals,
        st.none() | principals,
    ),
    step(
        "switches",
        lambda r, c, n, i, f, h: r.categories.change_category(
            OPERATOR, c, name=n, invitations=i, file_upload=f, chat_history=h
        ),
        *(categories, st.none() | rooms, maybe, maybe, maybe),
    ),
    step("remove category", lambda r, c: r.categories.remove_category(OPERATOR, c), categories),
    step(
        "add room",
        lambda r, n, c, p, b: r.rooms.add_room(OPERATOR, n, category=c, privacy=p, behavior=b),
        *(rooms, categories, privacies, behaviors),
    ),
    step(
        "change room",
        lambda r, n, new, p, b: r.rooms.change_room(OPERATOR, n, name=new, privacy=p, behavior=b),
        *(rooms, st.none() | rooms, st.none() | privacies, st.none() | behaviors),
    ),
    step("move room", lambda r, n, c: r.rooms.move_room(OPERATOR, n, c), rooms, categories),
    step("disable room", lambda r, n: r.rooms.disable_room(OPERATOR, n), rooms),
    step("enable room", lambda r, n: r.rooms.enable_room(OPERATOR, n), rooms),
    step("remove room", lambda r, n: r.rooms.remove_room(OPERATOR, n), rooms),
    step("add role", lambda r, n, k, p: r.rooms.add_role(OPERATOR, n, k, p), rooms, roles, principals),
    step("remove role", lambda r, n, k, p: r.rooms.remove_role(OPERATOR, n, k, p), rooms, roles, principals),
    step(
        "names",
        lambda r, u, n: r.people.change_user(OPERATOR, f"{u}@example.com", display_name=n, email=n),
        users,
        st.sampled_from(["", "Al", "x\ny"]),
    ),
    step("no policy", lambda r, u: r.people.remove_policy(OPERATOR, uri=f"{u}@example.com"), users),
    step("global policy back", lambda r: r.people.remove_policy(OPERATOR)),
    step("add group", lambda r, g, m: r.groups.add_group(OPERATOR, g, members=m), groups, members),
    step("rename group", lambda r, g, n: r.groups.change_group(OPERATOR, g, name=n), groups, groups),
    step("remove group", lambda r, g: r.groups.remove_group(OPERATOR, g), groups),
    step("join group", lambda r, g, m: r.groups.add_members(OPERATOR, g, m), groups, members),
    step("leave group", lambda r, g, m: r.groups.remove_members(OPERATOR, g, m), groups, members),
    step(
        "add roles",
        lambda r, n, m, p: r.rooms.change_roles(
            OPERATOR, n, {Role.PRESENTER: RoleDelta(add=p), Role.MEMBER: RoleDelta(add=m)}
        ),
        *(rooms, principals, principals),
    ),
    step(
        "swap roles",
        lambda r, n, k, a, b: r.rooms.change_roles(OPERATOR, n, {k: RoleDelta(a, b)}),
        *(rooms, roles, principals, principals),
    ),
    step(
        "set lists",
        lambda r, n, c, k, p: r.rooms.change_room(OPERATOR, n, category=c, lists={k: p}),
        *(rooms, st.none() | categories, roles, principals),
    ),
    step(
        "user makes room",
        lambda r, n, c, u: as_user(r, u, r.rooms.add_room, n, category=c),
        *(rooms, categories, st.sampled_from(USERS)),
    ),
    step(
        "user changes room",
        lambda r, n, c, d, u: as_user(r, u, r.rooms.change_room, n, category=c, disabled=d),
        *(rooms, st.none() | categories, maybe, st.sampled_from(USERS)),
    ),
    step("add add-in", lambda r, a: r.administration.addins.add_addin(OPERATOR, a, PAGE), addins),
    step(
        "change add-in",
        lambda r, a, b: r.administration.addins.change_addin(OPERATOR, a, name=b, url=PAGE),
        *(addins, st.none() | addins),
    ),
    step(
        "remove add-in",
        lambda r, a, f: r.administration.addins.remove_addin(OPERATOR, a, force=f),
        *(addins, st.booleans()),
    ),
    step("choose add-in", lambda r, n, a: r.rooms.change_room(OPERATOR, n, addin=a), rooms, addins),
    step(
        "limit of entries",
        lambda r, n: r.administration.settings.set_setting(OPERATOR, "ace-limit", n),
        st.sampled_from(["9", "12", "2000000"]),
    ),
    step(
        "setting",
        lambda r, n: r.administration.settings.set_setting(OPERATOR, "search-limit", n),
        st.just("7"),
    ),
)


class StateTests(SynchronousTestCase):
    """Random days in an administrator's life."""

    @settings(max_examples=120, deadline=None)
    @given(st.lists(steps, max_size=25))
    def test_memory_is_what_the_store_has(self, day: list[tuple[str, tuple[Any, ...], Step]]) -> None:
        """After any steps, refused ones too, memory and a fresh load are equal and the rules hold."""
        rules = Rules()
        for name in USERS:
            rules.user(name)
        result(rules.groups.add_group(OPERATOR, "Traders", members=PRINCIPALS[:1]))
        result(rules.groups.add_group(OPERATOR, "Floor", members=["Traders", *PRINCIPALS[2:3]]))
        result(rules.categories.add_category(OPERATOR, "North", allowed=["example.com"]))
        result(rules.rooms.add_room(OPERATOR, "Hall", category="North", behavior="auditorium"))
        result(rules.rooms.add_room(OPERATOR, "Lobby", category="North", privacy="open"))
        for room in ("Hall", "Lobby"):
            result(rules.rooms.add_role(OPERATOR, room, Role.MEMBER, PRINCIPALS[:2]))
            result(rules.rooms.add_role(OPERATOR, room, Role.MANAGER, PRINCIPALS[:1]))
        result(rules.rooms.add_role(OPERATOR, "Hall", Role.MEMBER, ["Floor"]))
        result(rules.rooms.add_role(OPERATOR, "Hall", Role.PRESENTER, PRINCIPALS[1:2]))
        moved = False
        for name, _, act in day:
            rules.clock.advance(1)
            before = state(rules)
            events = rules.query("select count(*) from outbox")
            try:
                result(act(rules))
                moved = moved or name in MOVES
            except AdministrationRefused:
                # A domain may have got its principal before the refusal; nothing else may have changed.
                after = state(rules)
                for what in ("rooms", "categories", "policies", "settings", "enabled", "groups"):
                    self.assertEqual(after[what], before[what])
                self.assertEqual(rules.query("select count(*) from outbox"), events)
        self.assertEqual(state(rules), state(rules.reloaded()))
        self.check_names(rules)
        if not moved:
            self.check_lists(rules)

    def check_names(self, rules: Rules) -> None:
        """Names are unique among rooms and categories, and among groups."""
        nodes = [
            *(node.name for node in rules.tree.categories()),
            *(node.name for node in rules.tree.rooms()),
        ]
        self.assertEqual(len({fold(name) for name in nodes}), len(nodes))
        names = [group.name for group in rules.directory.groups()]
        self.assertEqual(len({fold(name) for name in names}), len(names))

    def check_lists(self, rules: Rules) -> None:
        """Nobody stands on a list where the rules do not allow him, while groups stay as they are."""
        settled = RoleRules(rules.access, rules.directory).settled
        for room in rules.tree.rooms():
            held = RoleLists.of(room)
            self.assertEqual(held, settled(held, RoomShape.of(room)), room.name)
        for category in rules.tree.categories():
            for number in category.creators:
                principal = rules.directory.by_id(number)
                assert principal is not None
                self.assertTrue(rules.access.in_scope(principal, category))
