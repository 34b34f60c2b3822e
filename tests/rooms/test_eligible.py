"""Who could be given a role, found by part of a name or by a pattern."""

from __future__ import annotations

import re
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pchat.directory.people import Principal, PrincipalKind, PrincipalState
from pchat.errors import AdministrationRefused
from pchat.rooms.eligible import USERS_AND_GROUPS, Criterion, Eligible
from pchat.rooms.names import fold
from pchat.rooms.room import Role
from pchat.xccos.codes import ResponseCode
from tests.rooms.rules_support import DOMAIN, OPERATOR, RulesCase, result

ALICE, BOB, CAROL = (f"sip:{name}@{DOMAIN}" for name in ("alice", "bob", "carol"))


def called(display_name: str, uri: str = "sip:x@y", email: str = "") -> Principal:
    return Principal(
        *(1, "g", uri, uri, PrincipalKind.USER, "n"), display_name, "", email, PrincipalState.ACTIVE
    )


class CriterionTests(SynchronousTestCase):
    """What somebody typed, compared with what somebody is called."""

    def test_parts_and_patterns(self) -> None:
        """A text may stand anywhere; with an asterisk the whole must fit; case does not matter."""
        caf = called("Alice Caf\u00e9", ALICE, "a.c@mail.example.com")
        for text in ("", "lice", "CAFE\u0301", "alice@example", "sip:alice", "a.c@", "*", "alice*caf*",
                     "sip:al*@example.com", "alice@*", "*.com", " alice "):  # fmt: skip
            self.assertTrue(Criterion.of(text).matches(caf), text)
        for text in ("bob", "alice*x", "lice*caf*", "*mail", "sip:*@mail.example.com", "a*a*a*a*a*a*z"):
            self.assertFalse(Criterion.of(text).matches(caf), text)

    def test_too_long(self) -> None:
        """A filter is no longer than a name."""
        error = self.assertRaises(AdministrationRefused, Criterion.of, "x" * 257)
        self.assertEqual(error.code, ResponseCode.ERROR_INVALID_ARGUMENT)

    @given(st.text("ab*", max_size=8), st.text("ab", max_size=8))
    def test_patterns_as_a_regular_expression_has_them(self, pattern: str, name: str) -> None:
        """Asterisks stand for anything, also nothing."""
        matched = Criterion.of(pattern).matches(called(name, "sip:z"))
        if "*" in pattern:
            expression = ".*".join(map(re.escape, pattern.split("*")))
            texts = [text for text in (name, "n", "sip:z", "z") if text]
            self.assertEqual(matched, any(re.fullmatch(expression, text) for text in texts))
        else:
            self.assertEqual(matched, not pattern or fold(pattern) in name)

    def test_a_hostile_pattern_is_quick(self) -> None:
        """Two hundred asterisks against a long name take no longer than the name."""
        self.assertFalse(Criterion.of("a*" * 127 + "b").matches(called("a" * 256)))


class EligibleTests(RulesCase):
    """Alice and bob of the domain, carol who is denied, a guest who is not allowed."""

    def setUp(self) -> None:
        super().setUp()
        for name in ("alice", "bob", "carol"):
            self.rules.user(name)
        self.people, self.groups = self.rules.people, self.rules.groups
        result(self.people.add_user(OPERATOR, "guest@partner.example", display_name="Alicia"))
        result(self.groups.add_group(OPERATOR, "Traders", members=[BOB]))
        result(self.groups.add_group(OPERATOR, "Outsiders", members=[CAROL]))
        result(self.rules.categories.add_category(OPERATOR, "Staff", allowed=[DOMAIN], denied=["Outsiders"]))
        result(self.rules.rooms.add_room(OPERATOR, "Ops", category="Staff", behavior="auditorium"))
        self.eligible = Eligible(self.rules.access, self.rules.directory)
        self.listed = self.rules.administration.eligible.list_eligible

    def uris(self, **filters: Any) -> list[str]:
        return [found["uri"] for found in result(self.listed(**filters))]

    def test_the_scope_of_a_category(self) -> None:
        """Everybody whom the scope allows and does not deny, whatever path leads there."""
        self.assertEqual(self.uris(category="Staff"), [ALICE, BOB])
        self.assertEqual(self.uris(room="Ops"), [ALICE, BOB])
        self.assertEqual(self.uris(category="Staff", text="ALI"), [ALICE])
        self.assertEqual(self.uris(category="Staff", text="sip:b*"), [BOB])

    def test_presenters_are_members(self) -> None:
        """Presenters of a closed auditorium come from its members, of an open one from the scope."""
        self.assertEqual(self.uris(room="Ops", presenters=True), [])
        result(self.rules.rooms.add_role(OPERATOR, "Ops", Role.MEMBER, ["Traders"]))
        self.assertEqual(self.uris(room="Ops", presenters=True), [BOB])
        result(self.rules.rooms.change_room(OPERATOR, "Ops", privacy="open"))
        self.assertEqual(self.uris(room="Ops", presenters=True), [ALICE, BOB])
        result(self.rules.rooms.change_room(OPERATOR, "Ops", behavior="normal"))
        self.assertEqual(self.uris(room="Ops", presenters=True), [])

    def test_whoever_is_listed_is_accepted(self) -> None:
        """What the list says and what the rules take is the same, for every role."""
        result(self.rules.rooms.add_role(OPERATOR, "Ops", Role.MEMBER, [ALICE]))
        room = self.rules.room("Ops")
        for role in (Role.MANAGER, Role.PRESENTER):
            found = {user.id for user in self.eligible.for_role(room, role)}
            for user in self.rules.directory.users():
                try:
                    result(self.rules.rooms.add_role(OPERATOR, "Ops", role, [user.uri]))
                except AdministrationRefused:
                    self.assertNotIn(user.id, found)
                else:
                    self.assertIn(user.id, found)

    def test_groups_too(self) -> None:
        """Who asks for groups gets those in scope; a group has no mail address, but a name."""
        [staff] = self.rules.tree.categories()
        found = self.eligible.in_category(staff, Criterion.of("trade"), USERS_AND_GROUPS)
        self.assertEqual([principal.name for principal in found], ["Traders"])
        named = self.eligible.called(kinds={PrincipalKind.GROUP})
        self.assertEqual([principal.name for principal in named], ["Traders", "Outsiders"])

    def test_disabled_and_removed(self) -> None:
        """An account that is disabled or gone is not offered."""
        result(self.people.disable_user(OPERATOR, ALICE))
        result(self.people.remove_user(OPERATOR, BOB))
        self.assertEqual(self.uris(category="Staff"), [])

    def test_refusals(self) -> None:
        """Both or neither, presenters of a category, unknown places."""
        for filters, code in (
            ({}, ResponseCode.ERROR_INVALID_ARGUMENT),
            ({"category": "Staff", "room": "Ops"}, ResponseCode.ERROR_INVALID_ARGUMENT),
            ({"category": "Staff", "presenters": True}, ResponseCode.ERROR_INVALID_ARGUMENT),
            ({"category": "Staff", "text": "x" * 300}, ResponseCode.ERROR_INVALID_ARGUMENT),
            ({"category": "None"}, ResponseCode.ERROR_NO_SUCH_NODE),
            ({"room": "None"}, ResponseCode.ERROR_NO_SUCH_NODE),
        ):
            error = self.assertRaises(AdministrationRefused, result, self.listed(**filters))
            self.assertEqual(error.code, code, filters)
