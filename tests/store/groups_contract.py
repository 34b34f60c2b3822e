"""What every store must do with groups, and with the names and policies of people."""

from __future__ import annotations

from typing import Any

from pchat.interfaces import ITransaction
from pchat.store.changes import Stamp
from pchat.store.groups import GroupRecord, change_members, group_record, load_groups, set_group
from pchat.store.people import (
    NewPrincipal,
    PolicyRecord,
    delete_policy,
    insert_principal,
    load_people,
    principal_audit,
    principal_record,
    retire_principal,
    set_names,
    set_policy,
)
from pchat.store.transaction import ConstraintError
from tests.store.contract import StoreCase

STAMP, LATER = Stamp("unix:root", 77), Stamp("unix:other", 88)


async def granted(txn: ITransaction) -> list[Any]:
    return await txn.query(
        "select group_id, member_id, granted_by, granted_on from group_members order by group_id, member_id"
    )


class GroupsContract(StoreCase):
    """Groups of numbers of principals."""

    def principal(self, name: str, kind: int = 9) -> int:
        uri = f"ma-grp:{name}@u.g" if kind == 9 else f"sip:{name}@example.com"
        folded = name.lower() if kind == 9 else ""
        new = NewPrincipal(name, uri, uri, kind, name, name_folded=folded, description="d")
        number: int = self.result_of(self.store.write(insert_principal, new, STAMP)).principal_id
        return number

    def change(self, group: int, added: list[int], removed: list[int], stamp: Stamp = STAMP) -> None:
        self.result_of(self.store.write(change_members, group, added, removed, stamp))

    def test_members(self) -> None:
        """Members come and go one by one; who put each there stays known, and the group is stamped."""
        traders, zoe, yan = self.principal("Traders"), self.principal("zoe", 5), self.principal("yan", 5)
        self.change(traders, [zoe], [])
        self.change(traders, [yan], [], LATER)
        self.assertEqual(
            self.result_of(self.store.read(granted)),
            [(traders, zoe, "unix:root", 77), (traders, yan, "unix:other", 88)],
        )
        self.assertEqual(
            self.result_of(self.store.read(group_record, traders)),
            GroupRecord(traders, frozenset({zoe, yan})),
        )
        self.change(traders, [], [zoe], LATER)
        self.assertEqual(
            self.result_of(self.store.read(load_groups)), (GroupRecord(traders, frozenset({yan})),)
        )
        self.change(traders, [], [yan], LATER)
        self.assertEqual(self.result_of(self.store.read(load_groups)), ())
        self.assertEqual(
            self.result_of(self.store.read(group_record, traders)), GroupRecord(traders, frozenset())
        )
        audit = self.result_of(self.store.read(principal_audit, traders))
        self.assertEqual(
            (audit.created_by, audit.updated_by, audit.updated_on), ("unix:root", "unix:other", 88)
        )

    def test_whoever_is_in_a_group_is_loaded_with_the_people(self) -> None:
        """One snapshot has people, policies and groups."""
        traders, zoe = self.principal("Traders"), self.principal("zoe", 5)
        self.change(traders, [zoe], [])
        people = self.result_of(self.store.read(load_people))
        self.assertEqual(people.groups, (GroupRecord(traders, frozenset({zoe})),))
        names = {found.principal_id: (found.name, found.name_folded) for found in people.principals}
        self.assertEqual((names[traders], names[zoe]), (("Traders", "traders"), ("zoe", "")))

    def test_names(self) -> None:
        """A group is renamed and described; the name of a removed one is free again."""
        number = self.principal("Traders")
        self.result_of(self.store.write(set_group, number, "Dealers", "dealers", "They deal", LATER))
        found = self.result_of(self.store.read(principal_record, number))
        self.assertEqual(
            (found.name, found.name_folded, found.description), ("Dealers", "dealers", "They deal")
        )
        self.result_of(self.store.write(retire_principal, number, LATER))
        found = self.result_of(self.store.read(principal_record, number))
        self.assertEqual((found.name, found.name_folded, found.state), ("Dealers", "", 2))
        self.assertEqual(found.uri, "ma-grp:Traders@u.g")

    def test_two_groups_have_two_names(self) -> None:
        """The store itself keeps a name from being given twice; people have none of that kind."""
        self.principal("zoe", 5)
        self.principal("yan", 5)
        self.principal("Traders")
        new = NewPrincipal("other", "ma-grp:x@u.g", "ma-grp:x@u.g", 9, "TRADERS", name_folded="traders")
        with self.assertRaises(ConstraintError):
            self.result_of(self.store.write(insert_principal, new, STAMP))

    def test_people(self) -> None:
        """What people read is replaced as one; a user's policy is taken away, nobody else's is."""
        zoe, yan = self.principal("zoe", 5), self.principal("yan", 5)
        self.result_of(self.store.write(set_names, zoe, "Alice", "Us", "a@b", LATER))
        found = self.result_of(self.store.read(principal_record, zoe))
        self.assertEqual((found.display_name, found.company, found.email), ("Alice", "Us", "a@b"))
        for number in (zoe, yan):
            policy = PolicyRecord("user", number, True, "pilot")
            self.result_of(self.store.write(set_policy, policy))
        self.result_of(self.store.write(delete_policy, zoe))
        policies = self.result_of(self.store.read(load_people)).policies
        self.assertEqual([policy.principal_id for policy in policies if policy.scope == "user"], [yan])
