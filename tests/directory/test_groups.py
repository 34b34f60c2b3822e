"""What somebody is part of, through any number of groups."""

from __future__ import annotations

from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pchat.directory.local import LocalDirectory
from pchat.directory.people import PrincipalKind
from pchat.store.groups import GroupRecord
from pchat.store.people import PeopleSnapshot, PrincipalRecord

OWN, FOREIGN = "example.com", "partner.example"
USERS = {1: f"sip:alice@{OWN}", 2: f"sip:bob@{OWN}", 3: f"sip:guest@{FOREIGN}"}
GROUPS = range(11, 17)
DOMAINS = {21: OWN, 22: FOREIGN}

members = st.frozensets(st.sampled_from([*USERS, *GROUPS]), max_size=4)
changes = st.lists(st.tuples(st.sampled_from(GROUPS), members), max_size=12)


def principal(number: int, uri: str, kind: PrincipalKind, state: int = 0, name: str = "") -> PrincipalRecord:
    return PrincipalRecord(number, f"guid-{number}", uri, uri, kind, name, "", "", "", state, name)


def people(domains: frozenset[int]) -> tuple[PrincipalRecord, ...]:
    return (
        *(principal(number, uri, PrincipalKind.USER) for number, uri in USERS.items()),
        *(
            principal(number, f"ma-grp:{number}@u.g", PrincipalKind.GROUP, name=f"g{number}")
            for number in GROUPS
        ),
        *(principal(number, DOMAINS[number], PrincipalKind.DOMAIN) for number in sorted(domains)),
    )


def expected(number: int, groups: Mapping[int, frozenset[int]], domains: frozenset[int]) -> frozenset[int]:
    """Say what somebody is part of: the rule written again, by going on until nothing is added."""
    found = {number}
    while True:
        more = {group for group, inside in groups.items() if inside & found} - found
        if not more:
            break
        found |= more
    domain = 22 if number == 3 else 21
    return frozenset(found | ({domain} & domains))


class AffiliationTests(SynchronousTestCase):
    """Users, groups in groups, groups in circles."""

    @given(changes, st.frozensets(st.sampled_from(list(DOMAINS))))
    def test_as_the_rule_says(self, made: list[tuple[int, frozenset[int]]], domains: frozenset[int]) -> None:
        """After each change of any group everybody is part of what the rule says."""
        directory = LocalDirectory(OWN)
        directory.load(PeopleSnapshot(people(domains), ()))
        groups: dict[int, frozenset[int]] = {}
        for group, inside in made:
            groups[group] = inside
            directory.apply_group(GroupRecord(group, inside))
            for number in (*USERS, *GROUPS):
                found = directory.by_id(number)
                assert found is not None
                self.assertEqual(directory.affiliations(found), expected(number, groups, domains))
                directly = {above for above, below in groups.items() if number in below}
                self.assertEqual(directory.groups_of(found), directly)
                self.assertEqual(directory.members(found), groups.get(number, frozenset()))

    def directory(self, *groups: GroupRecord) -> LocalDirectory:
        directory = LocalDirectory(OWN)
        directory.load(PeopleSnapshot(people(frozenset(DOMAINS)), (), groups))
        return directory

    def test_who_is_in_a_group_is_not_thereby_in_its_domain(self) -> None:
        """A group counts as part of the server's domain; a guest in it stays a guest."""
        directory = self.directory(GroupRecord(11, frozenset({3})))
        guest, group = directory.by_id(3), directory.by_id(11)
        assert guest is not None
        assert group is not None
        self.assertEqual(directory.affiliations(guest), {3, 11, 22})
        self.assertEqual(directory.affiliations(group), {11, 21})
        self.assertEqual([found.id for found in directory.belonging_to(FOREIGN)], [3])
        self.assertEqual([found.id for found in directory.belonging_to(OWN)], [1, 2, *GROUPS])

    def test_a_circle_has_an_end(self) -> None:
        """Groups that contain each other have the same members."""
        directory = self.directory(
            GroupRecord(11, frozenset({12})),
            GroupRecord(12, frozenset({11, 1})),
            GroupRecord(13, frozenset({11})),
        )
        alice, inner = directory.by_id(1), directory.by_id(11)
        assert alice is not None
        assert inner is not None
        self.assertEqual(directory.all_groups_of(alice), {11, 12, 13})
        self.assertEqual(directory.all_groups_of(inner), {11, 12, 13})

    def test_a_new_load_forgets_what_is_gone(self) -> None:
        """Groups that somebody else emptied are empty after the next load."""
        directory = self.directory(GroupRecord(11, frozenset({1})))
        alice = directory.by_id(1)
        assert alice is not None
        self.assertIn(11, directory.affiliations(alice))
        directory.load(PeopleSnapshot(people(frozenset(DOMAINS)), (), (GroupRecord(12, frozenset({1})),)))
        self.assertEqual(directory.affiliations(alice), {1, 12, 21})

    def test_names(self) -> None:
        """A group is found by the name it has now; a removed one by none."""
        directory = self.directory()
        group = directory.by_id(11)
        self.assertIs(directory.group_by_name("g11"), group)
        directory.apply_principal(principal(11, "ma-grp:11@u.g", PrincipalKind.GROUP, name="new"))
        self.assertIsNone(directory.group_by_name("g11"))
        self.assertIs(directory.group_by_name("new"), group)
        directory.apply_principal(principal(11, "ma-grp:11@u.g", PrincipalKind.GROUP, state=2))
        self.assertIsNone(directory.group_by_name("new"))
        self.assertIs(directory.by_id(11), group)
