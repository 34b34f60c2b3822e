"""What users do in the pool: signing in, entering and leaving, posting while rights go, asking, managing."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import (
    precondition,
    rule,
)

from pchat.rooms.room import Room
from pchat.ticks import to_iso
from tests.model import rules as model
from tests.model.endpoint import Endpoint
from tests.model.pool import (
    HISTORY,
    MOST_ROOMS,
    NOWHERE,
    ROOMS,
    USERS,
    WIRE_PRIVACY,
    Pool,
    categories,
    endpoints,
    picks,
    privacies,
    roles,
    rooms,
    written,
)
from tests.model.rules import EVERYBODY, NO_NODE, OK
from tests.rooms.service_support import ACTOR


class People(Pool):
    """A pool with people in it."""

    def __init__(self) -> None:
        super().__init__()
        self.join_all()

    # -- what users do

    def asking(self, number: int) -> Endpoint | None:
        """Find an endpoint that is signed in and whose post is not on its way."""
        endpoint = self.endpoints[number]
        flying = self.flying is not None and self.flying[0] is endpoint
        return None if endpoint.person is None or flying else endpoint

    @rule(number=endpoints)
    def sign_in(self, number: int) -> None:
        endpoint = self.endpoints[number]
        if endpoint.person is None:
            registered, invited = endpoint.sign_in()
            assert (registered == 200) == self.law.accounts[endpoint.user], registered
            assert (invited == 200) == self.law.chat_is_on(endpoint.user), invited
            self.look()

    @rule(number=endpoints, name=rooms)
    def join(self, number: int, name: str) -> None:
        endpoint = self.asking(number)
        if endpoint is None or endpoint.person is None:
            return
        reply = endpoint.person.join(self.room(name))
        assert reply is not None
        expected = self.law.to_join(endpoint.user, name)
        assert reply.symbol == expected, f"{reply.symbol}, not {expected}"
        if expected == OK:
            endpoint.entered(name, reply.named("uib"))
        self.look(name)

    @rule(number=endpoints, order=st.permutations(ROOMS))
    def join_many(self, number: int, order: list[str]) -> None:
        """Enter all rooms by one command: each refused one is named, and the others are entered."""
        endpoint = self.asking(number)
        if endpoint is None or endpoint.person is None:
            return
        answers = {name: self.law.to_join(endpoint.user, name) for name in order}
        reply = endpoint.person.join(*map(self.room, order))
        assert reply is not None
        assert reply.symbol == (OK if OK in answers.values() else answers[order[0]]), reply.symbol
        failed = {block.get("value"): block.get("key") for block in reply.named("fib")}
        refused = {self.room(name).guid: code for name, code in answers.items() if code != OK}
        assert failed == refused, f"{failed}, not {refused}"
        blocks = {block.get("id"): block for block in reply.named("uib")}
        for shown in reply.named("chanib"):
            present = {number for aib in shown.iter("{*}aib") for number in aib.get("value", "").split(",")}
            endpoint.entered(shown.get("name", ""), [blocks[number] for number in present])
        self.look(*order)

    @rule()
    def join_all(self) -> None:
        """Whoever is away comes back, and everybody enters what he may; else most rooms would stay empty."""
        for number, endpoint in enumerate(self.endpoints):
            self.sign_in(number)
            for name in ROOMS:
                if name not in endpoint.rooms and self.law.to_join(endpoint.user, name) == OK:
                    self.join(number, name)

    @rule(number=endpoints, name=rooms)
    def part(self, number: int, name: str) -> None:
        endpoint = self.asking(number)
        if endpoint is None or endpoint.person is None or name not in endpoint.rooms:
            return
        reply = endpoint.person.part(self.room(name))
        assert reply is not None
        assert reply.symbol == OK
        del endpoint.rosters[name]
        self.look(name)

    @rule(number=endpoints)
    def lose_connection(self, number: int) -> None:
        endpoint = self.asking(number)
        if endpoint is not None and endpoint.person is not None:
            endpoint.person.lose()
            endpoint.person, endpoint.rosters = None, {}
            self.look()

    @rule(pick=picks, at_once=st.booleans())
    @precondition(lambda self: self.flying is None)
    def post(self, pick: int, at_once: bool) -> None:
        """Post where one is; unless at once, the store takes its time, and much may happen until then."""
        here = [(endpoint, name) for endpoint in self.endpoints for name in sorted(endpoint.rooms)]
        if here:
            endpoint, name = here[pick % len(here)]
            self.start_post(endpoint, name)
            if at_once and self.flying is not None:
                self.commit()

    @rule(number=endpoints, name=rooms)
    @precondition(lambda self: self.flying is None)
    def post_anywhere(self, number: int, name: str) -> None:
        """Post in a room where one is not, or perhaps is."""
        endpoint = self.endpoints[number]
        if endpoint.person is not None:
            self.start_post(endpoint, name)

    @rule(pick=picks, how=st.sampled_from(["disable", "deny", "auditorium", "policy", "revoke", "rename"]))
    @precondition(lambda self: self.flying is None)
    def change_while_posting(self, pick: int, how: str) -> None:
        """A right goes while a post is on its way to the store: the change wins."""
        self.post(pick, False)
        if self.flying is None:
            return
        endpoint, name, *_ = self.flying
        if how == "disable":
            self.switch_room(name, True)
        elif how == "deny":
            self.set_scope(self.law.rooms[name].category, {EVERYBODY}, {endpoint.user}, None)
        elif how == "auditorium":
            self.reshape(name, None, True)
        elif how == "policy":
            self.set_policy(endpoint.user, False)
        elif how == "revoke":
            self.revoke(name, "member", endpoint.user)
        else:
            work = self.administration.rooms.change_room(ACTOR, name, description=f"after {self.said}")
            self.administered(work, OK)
        self.commit()

    def start_post(self, endpoint: Endpoint, name: str) -> None:
        """Post; it is refused at once, or on its way to the store."""
        assert endpoint.person is not None
        self.said += 1
        text = f"text {self.said}"
        self.world.store.slow.add("append")
        answer = endpoint.person.post(self.room(name), text)
        may = name in endpoint.rooms and self.law.to_post(endpoint.user, name) == OK
        if not may:
            assert answer is not None
            assert answer.status == 403, answer.status
            self.world.store.slow.clear()
        else:
            assert answer is None, "a post is answered before the store has it"
            self.flying = (endpoint, name, text, self.world.parts.base.tree.revision)

    @rule()
    @precondition(lambda self: self.flying is not None)
    def commit(self) -> None:
        """Let the store take the post; a change that came before it wins."""
        assert self.flying is not None
        endpoint, name, text, revision = self.flying
        self.flying = None
        changed = self.world.parts.base.tree.revision != revision
        may = name in endpoint.rooms and (not changed or self.law.to_post(endpoint.user, name) == OK)
        if may:
            self.kept[name].append(text)
            for other in self.endpoints:
                if name in other.rooms:
                    other.owed.append((name, text))
        person = endpoint.person
        answered = len(person.responses) if person else 0
        while self.world.store.waiting:
            self.world.store.go()
        self.world.store.slow.clear()
        if person is not None:
            self.world.settle(person)
            [answer] = person.responses[answered:]
            assert answer.status == (200 if may else 403), answer.status
        self.look(name)

    def ask(self, number: int, command: str, data: str, expected: str, *named: str) -> Any:
        """Give a command; returns the reply if it was done."""
        endpoint = self.asking(number)
        if endpoint is None or endpoint.person is None:
            return None
        reply = endpoint.person.command(command, data)
        assert reply is not None, command
        assert reply.symbol == expected, f"{command}: {reply.symbol}, not {expected}"
        return reply if expected == OK else None

    def user(self, number: int) -> str:
        """Tell whose an endpoint is."""
        return self.endpoints[number].user

    @rule(number=endpoints, name=rooms, command=st.sampled_from(["bccontext", "bcbydate", "getroster"]))
    def read(self, number: int, name: str, command: str) -> None:
        user, uri = self.user(number), f'<chanib uri="{self.room(name).uri}"/>'
        reply = self.ask(number, command, uri, self.law.to_join(user, name))
        self.ask(number, command, f'<chanib uri="{NOWHERE}"/>', NO_NODE)
        if reply is not None and command == "getroster":
            found = {block.get("uri") for block in reply.named("uib")}
            assert found == {written(who) for who in self.present(name)}, found
        elif reply is not None:
            texts = [chat.text for block in reply.named("chanib") for chat in block.iter("{*}chat")]
            assert texts == self.kept[name][-HISTORY:], f"{texts} of {name}, not {self.kept[name]}"
        self.look(name)

    @rule(number=endpoints, name=rooms, command=st.sampled_from(["getroles", "getperms"]))
    def see(self, number: int, name: str, command: str) -> None:
        self.ask(
            number,
            command,
            f'<chanib uri="{self.room(name).uri}"/>',
            self.law.to_see(self.user(number), name),
        )
        self.look(name)

    @rule(number=endpoints)
    def find(self, number: int) -> None:
        """The list of rooms is what one may know; one's own are those one may join."""
        user = self.user(number)
        for command, data, right in (
            ("chansrch", '<qib qtype="BYNAME" criteria=""/>', self.law.finds),
            ("getassociations", '<association type="MEMBER"/>', self.law.member),
            ("getassociations", '<association type="MANAGER"/>', self.law.manager),
        ):
            reply = self.ask(number, command, data, OK)
            if reply is not None:
                expected = {
                    name for name, room in self.law.rooms.items() if right(user, room) and not room.disabled
                }
                # The world has a room of its own, which these rules are not about.
                found = {block.get("name") for block in reply.named("chanib")} - {"Lobby"}
                assert found == expected, f"{command} {data}: {found}, not {expected}"
        self.look()

    @rule(number=endpoints, category=categories)
    def create(self, number: int, category: str) -> None:
        """P-4: who makes a room manages it, and is no member of it."""
        endpoint = self.asking(number)
        if endpoint is not None and len(self.law.rooms) < MOST_ROOMS:
            name = f"New {self.made}"
            self.made += 1
            expected = self.law.create(endpoint.user, name, category)
            parent = self.administration.categories.category(category).uri
            self.ask(number, "chancreate", f'<chanib name="{name}" parent="{parent}"/>', expected)
            if expected == OK:
                self.ask(number, "join", _chanid(self.room(name)), model.FORBIDDEN)
        self.look()

    @rule(number=endpoints, name=rooms, privacy=privacies)
    def reshape_by_manager(self, number: int, name: str, privacy: str) -> None:
        if self.asking(number) is not None:
            expected = self.law.to_manage(self.user(number), name)
            if expected == OK:
                self.law.change(name, privacy=privacy)
            room = self.room(name)
            self.ask(
                number,
                "chanmodify",
                f'<chanib uri="{room.uri}" updatedon="{_read(room)}" visibility="{WIRE_PRIVACY[privacy]}"/>',
                expected,
            )
        self.look(name)

    @rule(number=endpoints, name=rooms, category=categories)
    def move_by_manager(self, number: int, name: str, category: str) -> None:
        if self.asking(number) is not None:
            expected = self.law.move_by(self.user(number), name, category)
            room = self.room(name)
            parent = self.administration.categories.category(category).uri
            self.ask(
                number,
                "chanmodify",
                f'<chanib uri="{room.uri}" updatedon="{_read(room)}" parent="{parent}"/>',
                expected,
            )
        self.look(name)

    @rule(number=endpoints, name=rooms, role=roles, who=st.sampled_from(USERS), add=st.booleans())
    def change_role_by_manager(self, number: int, name: str, role: str, who: str, add: bool) -> None:
        if self.asking(number) is not None:
            expected = self.law.to_manage(self.user(number), name)
            if expected == OK:
                verb = self.law.grant if add else self.law.revoke
                expected = verb(name, role, who)
            room, word = self.room(name), "add" if add else "remove"
            data = (
                f'<chanib uri="{room.uri}" updatedon="{_read(room)}"/>'
                f'<role type="{role.upper()}"><{word} uri="{written(who)}"/></role>'
            )
            self.ask(number, "chanroles", data, expected)
        self.look(name)


def _chanid(room: Room) -> str:
    return f'<chanid key="0" domain="example.com" value="{room.guid}"/>'


def _read(room: Room) -> str:
    """Tell when a room was last changed, as a client reads it."""
    return to_iso(room.updated_on)
