"""Who is in a room, and what everybody in it believes."""

from __future__ import annotations

from typing import Any, cast

from attrs import define, field
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pchat.rooms.roster import CatchUp, Roster, Rosters


@define(eq=False)
class Person:
    """Stands for a principal."""

    id: int


@define(eq=False)
class Endpoint:
    """Stands for a session: it remembers whom it believes present, and with which mask."""

    user: Person
    believes: dict[int, int] = field(factory=dict)


class World:
    """A room whose notices are applied to what each endpoint believes."""

    def __init__(self, limit: int) -> None:
        self.roster = Roster(cast(Any, object()), limit)
        self.inside: list[Endpoint] = []
        self.outside: list[Endpoint] = []

        #: What the rules say of each user; whoever is not in it has the mask 0.
        self.rights: dict[int, int] = {}

    def present(self) -> dict[int, int]:
        return {one.user.id: self.rights.get(one.user.id, 0) for one in self.inside}

    def join(self, endpoint: Endpoint) -> None:
        mask = self.rights.get(endpoint.user.id, 0)
        tell = self.roster.add(cast(Any, endpoint), mask)
        self.inside.append(endpoint)
        endpoint.believes = {} if self.roster.large else dict(self.roster.masks)
        if tell:
            for other in self.inside:
                other.believes[endpoint.user.id] = mask

    def part(self, endpoint: Endpoint) -> None:
        tell, catch_up = self.roster.remove(cast(Any, endpoint))
        self.inside.remove(endpoint)
        self.outside.append(endpoint)
        if tell:
            for other in self.inside:
                other.believes.pop(endpoint.user.id, None)
        self.apply(catch_up)

    def change_rights(self, number: int) -> None:
        """Give a user another mask and tell of it as `pchat.rooms.notices` does."""
        self.rights[number] = self.rights.get(number, 0) + 1
        if self.roster.holds(number) and self.roster.set_mask(number, self.rights[number]):
            for other in self.inside:
                if not self.roster.large or other.user.id == number:
                    other.believes[number] = self.rights[number]

    def apply(self, entries: list[CatchUp]) -> None:
        for entry in entries:
            believes = cast(Any, entry.session).believes
            for number in {*entry.joined, *entry.changed}:
                believes[number] = self.roster.masks[number]
            for number in entry.parted:
                believes.pop(number, None)


Step = tuple[str, int]
ACTIONS = ["join", "part", "come again", "limit", "rights"]


class EverybodyKnows(SynchronousTestCase):
    """Whatever happened, in a room that is not large everybody knows exactly who is there."""

    @settings(max_examples=300, deadline=None)
    @given(
        limit=st.integers(0, 6),
        steps=st.lists(st.tuples(st.sampled_from(ACTIONS), st.integers(0, 9)), max_size=60),
    )
    def test_beliefs_follow_the_truth(self, limit: int, steps: list[Step]) -> None:
        """Joins, parts, endpoints, rights and limits in any order leave nobody with a wrong picture."""
        world = World(limit)
        for action, number in steps:
            if action == "join":
                world.join(Endpoint(Person(number)))
            elif action == "part" and world.inside:
                world.part(world.inside[number % len(world.inside)])
            elif action == "come again" and world.outside:
                world.join(world.outside.pop(number % len(world.outside)))
            elif action == "limit":
                world.apply(world.roster.set_limit(number))
            elif action == "rights":
                world.change_rights(number)
            self.assertEqual(world.roster.masks, world.present())
            self.assertEqual(len(world.roster), len(world.present()))
            if not world.roster.large:
                self.assertLessEqual(len(world.roster), world.roster.limit)
                for endpoint in world.inside:
                    self.assertEqual(endpoint.believes, world.present())


class LargeRooms(SynchronousTestCase):
    """Above the limit nobody is told of comings and goings; below 80 % of it all are brought up to date."""

    def test_the_join_that_exceeds_the_limit_is_not_told(self) -> None:
        """With a limit of five the sixth user's join causes no notice, and later ones neither."""
        world = World(5)
        for number in range(5):
            world.join(Endpoint(Person(number)))
        first = world.inside[0]
        world.join(Endpoint(Person(5)))
        self.assertTrue(world.roster.large)
        self.assertNotIn(5, first.believes)
        self.assertEqual(world.inside[-1].believes, {})

    def test_notices_begin_again_below_80_percent(self) -> None:
        """Five allowed: at four left the room is still large, at three it is normal and all is told."""
        world = World(5)
        for number in range(6):
            world.join(Endpoint(Person(number)))
        world.part(world.inside[0])
        world.part(world.inside[0])
        self.assertTrue(world.roster.large)
        world.part(world.inside[0])
        self.assertFalse(world.roster.large)
        for endpoint in world.inside:
            self.assertEqual(set(endpoint.believes), {3, 4, 5})

    def test_endpoints_are_not_users(self) -> None:
        """The limit counts people: ten endpoints of one user make no room large."""
        world = World(2)
        for _ in range(10):
            world.join(Endpoint(Person(1)))
        self.assertFalse(world.roster.large)

    def test_rights_that_changed_meanwhile(self) -> None:
        """Who was there before the room became large is told later of rights that changed."""
        world = World(3)
        for number in range(4):
            world.join(Endpoint(Person(number)))
        world.change_rights(1)
        first, second = world.inside[:2]
        self.assertEqual((first.believes[1], second.believes[1]), (0, 1))
        world.part(world.inside[3])
        world.part(world.inside[2])
        self.assertFalse(world.roster.large)
        self.assertEqual(first.believes, {0: 0, 1: 1})

    def test_revision(self) -> None:
        """What is shown of a roster may be kept for as long as its revision stays."""
        world = World(75)
        endpoint = Endpoint(Person(1))
        seen = [world.roster.revision]
        world.join(endpoint)
        seen.append(world.roster.revision)
        world.change_rights(1)
        seen.append(world.roster.revision)
        world.roster.set_mask(1, world.rights[1])
        world.join(Endpoint(Person(1)))
        self.assertEqual(world.roster.revision, seen[-1])
        world.part(world.inside[1])
        self.assertEqual(world.roster.revision, seen[-1])
        world.part(endpoint)
        seen.append(world.roster.revision)
        self.assertEqual(len(set(seen)), 4)


class Reservations(SynchronousTestCase):
    """Joins and parts of one user's endpoints are written once, however they overlap."""

    def test_first_in_and_last_out(self) -> None:
        """Only the first endpoint in and the last one out are events of the user."""
        roster = Roster(cast(Any, object()), 75)
        self.assertTrue(roster.reserve(7))
        self.assertFalse(roster.reserve(7))
        self.assertFalse(roster.release(7))
        self.assertTrue(roster.release(7))
        self.assertTrue(roster.idle)

    def test_an_empty_roster_is_forgotten(self) -> None:
        """A room that everybody left costs no memory."""
        rosters = Rosters(75)
        room = cast(Any, Person(1))
        roster = rosters.of(room)
        roster.reserve(7)
        rosters.forget_if_idle(roster)
        self.assertIs(rosters.find(1), roster)
        roster.release(7)
        rosters.forget_if_idle(roster)
        self.assertIsNone(rosters.find(1))
