"""People who have the same name are two people, and do not get in each other's way (M-10)."""

from __future__ import annotations

from pchat.rooms.role_lists import RoleDelta
from pchat.rooms.room import Role
from tests.rooms.rules_support import DOMAIN, OPERATOR, RulesCase, result


class SameNameTests(RulesCase):
    """Two accounts that show one name."""

    def test_both_manage_their_rooms(self) -> None:
        """Each changes a room that he manages, and puts the other on a list by his address."""
        rules = self.rules
        result(rules.people.set_policy(OPERATOR, True))
        result(rules.categories.add_category(OPERATOR, "Staff", allowed=[DOMAIN]))
        uris = [f"sip:kim{number}@{DOMAIN}" for number in (1, 2)]
        for uri, room in zip(uris, ("Ops", "Desk"), strict=True):
            result(rules.people.add_user(OPERATOR, uri, display_name="Kim Lee"))
            result(rules.rooms.add_room(OPERATOR, room, category="Staff"))
            result(rules.rooms.change_room(OPERATOR, room, lists={Role.MANAGER: [uri]}))
        first, second = (rules.directory.by_uri(uri) for uri in uris)
        assert first is not None
        assert second is not None
        self.assertEqual(first.display_name, second.display_name)

        for user, other, room in ((first, second, "Ops"), (second, first, "Desk")):
            result(rules.rooms.change_room(user.uri, room, description="ours", user=user))
            result(
                rules.rooms.change_roles(user.uri, room, {Role.MEMBER: RoleDelta(add=[other.uri])}, user=user)
            )
            self.assertEqual(rules.room(room).description, "ours")
            self.assertEqual(rules.room(room).members, {other.id})
