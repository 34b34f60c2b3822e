"""Who may do what, compared with a second, separate account of the rules."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pchat.directory.local import LocalDirectory
from pchat.directory.people import Principal, PrincipalKind, principal_key
from pchat.rooms.access import Access, Right
from pchat.rooms.category import Category
from pchat.rooms.room import Behavior, Privacy, Role, Room
from pchat.store.people import PolicyRecord, PrincipalRecord
from pchat.xccos.codes import ResponseCode
from tests.rooms.reference_model import World
from tests.rooms.rules_support import OPERATOR, Rules, result

ALICE, BOB, DOMAIN = "sip:alice@example.com", "sip:bob@example.com", "example.com"
NUMBERS = {ALICE: 1, BOB: 2, DOMAIN: 3}

lists = st.frozensets(st.sampled_from([ALICE, BOB, DOMAIN]))
switches = st.booleans()
worlds = st.builds(
    World,
    names=st.just(frozenset({ALICE, DOMAIN})),
    active=st.sampled_from([True, True, True, False]),
    own_policy=st.sampled_from([None, True, True, False]),
    global_policy=switches,
    allowed=lists,
    denied=st.sampled_from([frozenset(), frozenset(), frozenset({BOB})]) | lists,
    creators=lists,
    members=lists,
    managers=lists,
    presenters=lists,
    privacy=st.sampled_from(["open", "closed", "secret"]),
    auditorium=switches,
    disabled=st.sampled_from([False, False, True]),
)


def numbers(names: frozenset[str]) -> frozenset[int]:
    return frozenset(NUMBERS[name] for name in names)


def built(world: World) -> tuple[Access, Principal, Room]:
    """Build the real thing after a model."""
    directory = LocalDirectory()
    for uri, number in NUMBERS.items():
        kind = PrincipalKind.DOMAIN if uri == DOMAIN else PrincipalKind.USER
        state = 0 if world.active or uri != ALICE else 1
        directory.apply_principal(
            PrincipalRecord(number, f"guid-{number}", uri, principal_key(uri), kind, "", "", "", "", state)
        )
    directory.apply_policy(PolicyRecord("global", 0, world.global_policy, ""))
    if world.own_policy is not None:
        directory.apply_policy(PolicyRecord("user", NUMBERS[ALICE], world.own_policy, ""))
    category = Category(
        id=1,
        guid="c",
        uri="ma-cat://example.com/c",
        name="C",
        allowed=numbers(world.allowed),
        denied=numbers(world.denied),
        creators=numbers(world.creators),
    )
    room = Room(
        id=1,
        guid="r",
        uri="ma-chan://example.com/r",
        category=category,
        name="R",
        privacy=Privacy[world.privacy.upper()],
        behavior=Behavior.AUDITORIUM if world.auditorium else Behavior.NORMAL,
        disabled=world.disabled,
        members=numbers(world.members),
        managers=numbers(world.managers),
        presenters=numbers(world.presenters),
    )
    alice = directory.by_uri(ALICE)
    assert alice is not None
    return Access(directory), alice, room


def word(code: ResponseCode | None) -> str:
    return "SUCCESS_OK" if code is None else code.symbol


class ModelTests(SynchronousTestCase):
    """The rules and the model agree, whatever the lists."""

    @settings(max_examples=600, deadline=None)
    @given(worlds)
    def test_every_question(self, world: World) -> None:
        """Every "may he" is answered as the model answers it."""
        access, alice, room = built(world)
        self.assertEqual(access.may_see(alice, room), world.sees)
        self.assertEqual(access.sight(alice)(room), world.sees)
        self.assertEqual(access.holds(alice, Role.MEMBER, room), world.member)
        self.assertEqual(access.holds(alice, Role.MANAGER, room), world.manager)
        self.assertEqual(access.refusal_to_manage(alice, room) is None, world.manager)
        self.assertEqual(access.may_create(alice, room.category), world.creates)

    @settings(max_examples=600, deadline=None)
    @given(worlds)
    def test_every_refusal(self, world: World) -> None:
        """Every refusal carries the model's code; a secret room is unknown to those it is kept from."""
        access, alice, room = built(world)
        self.assertEqual(word(access.refusal_to_see(alice, room)), world.answer_to(world.sees))
        self.assertEqual(word(access.refusal_to_join(alice, room)), world.answer_to(world.joins))
        self.assertEqual(word(access.refusal_to_post(alice, room)), world.answer_to(world.posts))
        self.assertEqual(word(access.refusal_to_read_history(alice, room)), world.answer_to(world.joins))
        self.assertEqual(word(access.refusal_to_see_roster(alice, room)), world.answer_to(world.joins))

    @settings(max_examples=300, deadline=None)
    @given(worlds)
    def test_masks_say_what_is_allowed(self, world: World) -> None:
        """The bits that clients are shown are the answers to the questions."""
        access, alice, room = built(world)
        mask = access.mask(alice, room)
        self.assertEqual(bool(mask & Right.JOIN), world.joins)
        self.assertEqual(bool(mask & Right.MANAGE), world.manager)
        self.assertEqual(bool(mask & Right.VIEW), world.sees)
        self.assertEqual(bool(mask & Right.AUDITORIUM_CHAT), world.posts and world.auditorium)
        if not world.chat_is_on:
            self.assertEqual(mask, 0)

    @settings(max_examples=300, deadline=None)
    @given(worlds)
    def test_nobody_outside_the_scope_has_any_right(self, world: World) -> None:
        """Outside Allowed minus Denied no role list helps."""
        access, alice, room = built(world)
        if not world.inside:
            self.assertEqual(access.rights(alice, room), Right.NONE)


class MaskTests(SynchronousTestCase):
    """The numbers on the wire."""

    def setUp(self) -> None:
        self.rules = Rules()
        result(self.rules.people.set_policy(OPERATOR, True))
        for name in ("alice", "bob", "carol", "dave", "eve"):
            self.rules.user(name)
        result(self.rules.categories.add_category(OPERATOR, "C", allowed=[DOMAIN]))
        result(self.rules.rooms.add_room(OPERATOR, "Hall", category="C", behavior="auditorium"))
        everybody = [f"{name}@{DOMAIN}" for name in ("alice", "bob", "carol", "dave")]
        result(self.rules.rooms.add_role(OPERATOR, "Hall", Role.MEMBER, everybody))
        for role, name in [(Role.MANAGER, "bob"), (Role.PRESENTER, "carol")]:
            result(self.rules.rooms.add_role(OPERATOR, "Hall", role, [f"{name}@{DOMAIN}"]))
        for role in (Role.MANAGER, Role.PRESENTER):
            result(self.rules.rooms.add_role(OPERATOR, "Hall", role, [f"dave@{DOMAIN}"]))

    def test_one_look_at_each_scope(self) -> None:
        """Going through the rooms of several categories tells of each what asking for it alone tells."""
        rules = self.rules
        result(
            rules.categories.add_category(
                OPERATOR, "Closed to Eve", allowed=[DOMAIN], denied=[f"eve@{DOMAIN}"]
            )
        )
        for category in ("C", "Closed to Eve"):
            for privacy in ("open", "closed", "secret"):
                result(
                    rules.rooms.add_room(
                        OPERATOR, f"{privacy} in {category}", category=category, privacy=privacy
                    )
                )
        result(rules.rooms.add_role(OPERATOR, "secret in C", Role.MEMBER, [f"eve@{DOMAIN}"]))
        for name in ("alice", "eve"):
            user = rules.user(name)
            sees = rules.access.sight(user)
            self.assertEqual(
                {room.name for room in rules.tree.rooms() if sees(room)},
                {room.name for room in rules.tree.rooms() if rules.access.may_see(user, room)},
            )
        sees = rules.access.sight(rules.user("eve"))
        self.assertEqual(
            [room.name for room in rules.tree.rooms_by_name() if sees(room)],
            ["closed in C", "Hall", "open in C", "secret in C"],
        )

    def test_masks(self) -> None:
        """Member, manager, presenter, both, and somebody who only sees the room."""
        hall = self.rules.room("Hall")
        shown = {
            name: (
                self.rules.access.mask(self.rules.user(name), hall),
                self.rules.access.legacy_mask(self.rules.access.mask(self.rules.user(name), hall)),
            )
            for name in ("alice", "bob", "carol", "dave", "eve")
        }
        self.assertEqual(
            shown,
            {
                "alice": (3456, 3984),
                "bob": (11652, 12276),
                "carol": (7552, 3984),
                "dave": (15748, 12276),
                "eve": (2048, 2048),
            },
        )

    def test_rooms_of(self) -> None:
        """A user's own rooms: member rooms with every open room in scope, and those he manages."""
        rules = self.rules
        result(rules.rooms.add_room(OPERATOR, "Lobby", category="C", privacy="open"))
        result(rules.rooms.add_room(OPERATOR, "Vault", category="C", privacy="secret"))
        result(rules.rooms.add_role(OPERATOR, "Vault", Role.MANAGER, [f"eve@{DOMAIN}"]))

        def names(name: str, role: Role) -> list[str]:
            return [room.name for room in rules.access.rooms_of(rules.user(name), role, rules.tree)]

        self.assertEqual(names("alice", Role.MEMBER), ["Hall", "Lobby"])
        self.assertEqual(names("eve", Role.MEMBER), ["Lobby"])
        self.assertEqual(names("eve", Role.MANAGER), ["Vault"])
        self.assertEqual(names("dave", Role.PRESENTER), ["Hall"])
        result(rules.rooms.disable_room(OPERATOR, "Lobby"))
        self.assertEqual(names("eve", Role.MEMBER), [])
        result(rules.rooms.disable_room(OPERATOR, "Vault"))
        self.assertEqual(names("eve", Role.MANAGER), [])
        eve = rules.user("eve")
        managed = rules.access.rooms_of(eve, Role.MANAGER, rules.tree, disabled=True)
        self.assertEqual([room.name for room in managed], ["Vault"])
