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
    """Stands for a session: it remembers whom it believes present."""

    user: Person
    believes: set[int] = field(factory=set)


class World:
    """A room whose notices are applied to what each endpoint believes."""

    def __init__(self, limit: int) -> None:
        self.roster = Roster(cast(Any, object()), limit)
        self.inside: list[Endpoint] = []
        self.outside: list[Endpoint] = []

    def present(self) -> set[int]:
        return {endpoint.user.id for endpoint in self.inside}

    def join(self, endpoint: Endpoint) -> None:
        tell = self.roster.add(cast(Any, endpoint))
        self.inside.append(endpoint)
        endpoint.believes = set() if self.roster.large else set(self.roster.user_ids)
        if tell:
            for other in self.inside:
                other.believes.add(endpoint.user.id)

    def part(self, endpoint: Endpoint) -> None:
        tell, catch_up = self.roster.remove(cast(Any, endpoint))
        self.inside.remove(endpoint)
        self.outside.append(endpoint)
        if tell:
            for other in self.inside:
                other.believes.discard(endpoint.user.id)
        self.apply(catch_up)

    def apply(self, entries: list[CatchUp]) -> None:
        for entry in entries:
            believes = cast(Any, entry.session).believes
            believes.update(entry.joined)
            believes.difference_update(entry.parted)


Step = tuple[str, int]
ACTIONS = ["join", "part", "come again", "limit"]


class EverybodyKnows(SynchronousTestCase):
    """Whatever happened, in a room that is not large everybody knows exactly who is there."""

    @settings(max_examples=300, deadline=None)
    @given(
        limit=st.integers(0, 6),
        steps=st.lists(st.tuples(st.sampled_from(ACTIONS), st.integers(0, 9)), max_size=60),
    )
    def test_beliefs_follow_the_truth(self, limit: int, steps: list[Step]) -> None:
        """Joins, parts, second endpoints and new limits in any order leave nobody with a wrong picture."""
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
            self.assertEqual(set(world.roster.user_ids), world.present())
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
        self.assertEqual(world.inside[-1].believes, set())

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
            self.assertEqual(endpoint.believes, {3, 4, 5})

    def test_endpoints_are_not_users(self) -> None:
        """The limit counts people: ten endpoints of one user make no room large."""
        world = World(2)
        for _ in range(10):
            world.join(Endpoint(Person(1)))
        self.assertFalse(world.roster.large)


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
