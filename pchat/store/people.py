"""SQL of principals, their credentials and policies, and what a load of them looks like."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import frozen

from pchat.interfaces import ITransaction
from pchat.store.changes import Stamp
from pchat.store.groups import GroupRecord, load_groups

_COLUMNS = (
    "principal_id, guid, uri, uri_folded, kind, name, display_name, company, email, state,"
    " name_folded, description"
)


@frozen
class PrincipalRecord:
    """One row of ``principals``, as bodies take and return it."""

    principal_id: int
    guid: str
    uri: str
    uri_folded: str
    kind: int
    name: str
    display_name: str
    company: str
    email: str
    state: int
    name_folded: str = ""
    description: str = ""


@frozen
class NewPrincipal:
    """A principal that is to be stored; its number comes from the store."""

    guid: str
    uri: str
    uri_folded: str
    kind: int
    name: str
    display_name: str = ""
    company: str = ""
    email: str = ""
    name_folded: str = ""
    description: str = ""


@frozen
class PolicyRecord:
    """One row of ``policies``: scope ``global`` (principal_id 0) or ``user``."""

    scope: str
    principal_id: int
    enabled: bool
    description: str


@frozen
class PeopleSnapshot:
    """All principals, policies and groups, read in one transaction."""

    principals: tuple[PrincipalRecord, ...]
    policies: tuple[PolicyRecord, ...]
    groups: tuple[GroupRecord, ...] = ()


@frozen
class PrincipalAudit:
    """Who made and who changed a principal; times in ticks."""

    created_by: str
    created_on: int
    updated_by: str
    updated_on: int


async def load_people(txn: ITransaction) -> PeopleSnapshot:
    """Read all principals (removed ones too: messages name them), all policies and all groups."""
    # The column list is a constant of this module, never input.
    rows = await txn.query(f"select {_COLUMNS} from principals order by principal_id")  # noqa: S608
    policies = await txn.query("select scope, principal_id, enabled, description from policies")
    return PeopleSnapshot(
        tuple(PrincipalRecord(*row) for row in rows),
        tuple(PolicyRecord(scope, number, bool(enabled), text) for scope, number, enabled, text in policies),
        await load_groups(txn),
    )


async def principal_record(txn: ITransaction, principal_id: int) -> PrincipalRecord:
    """Read one principal that is known to exist."""
    rows = await txn.query(f"select {_COLUMNS} from principals where principal_id = %s", (principal_id,))  # noqa: S608
    return PrincipalRecord(*rows[0])


async def principal_audit(txn: ITransaction, principal_id: int) -> PrincipalAudit:
    """Read who made and who changed a principal that is known to exist."""
    rows = await txn.query(
        "select created_by, created_on, updated_by, updated_on from principals where principal_id = %s",
        (principal_id,),
    )
    return PrincipalAudit(*rows[0])


async def insert_principal(txn: ITransaction, new: NewPrincipal, stamp: Stamp) -> PrincipalRecord:
    """Store a new principal and return it with its number."""
    rows = await txn.query(
        "insert into principals (guid, uri, uri_folded, kind, name, display_name, company, email,"
        " name_folded, description, created_by, created_on, updated_by, updated_on)"
        " values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) returning principal_id",
        (
            *(
                new.guid,
                new.uri,
                new.uri_folded,
                new.kind,
                new.name,
                new.display_name,
                new.company,
                new.email,
                new.name_folded,
                new.description,
            ),
            *(stamp.actor, stamp.now, stamp.actor, stamp.now),
        ),
    )
    return await principal_record(txn, rows[0][0])


async def set_state(txn: ITransaction, principal_id: int, state: int, stamp: Stamp) -> None:
    """Make a principal active (0) or disabled (1)."""
    await txn.run(
        "update principals set state = %s, updated_by = %s, updated_on = %s where principal_id = %s",
        (state, stamp.actor, stamp.now, principal_id),
    )


async def set_names(
    txn: ITransaction, principal_id: int, display_name: str, company: str, email: str, stamp: Stamp
) -> None:
    """Replace what people read of a user."""
    await txn.run(
        "update principals set display_name = %s, company = %s, email = %s, updated_by = %s, updated_on = %s"
        " where principal_id = %s",
        (display_name, company, email, stamp.actor, stamp.now, principal_id),
    )


#: What is kept for a user alone; it goes with him.
_TABLES_OF_A_USER = (
    *("credentials", "publications", "container_members"),
    *("followed_rooms", "topic_feeds", "topic_hits"),
    *("invitations", "last_invitations", "preferences", "read_markers"),
)


async def retire_principal(txn: ITransaction, principal_id: int, stamp: Stamp) -> None:
    """Remove a principal that stands on no list: the row stays for the messages that name it.

    The folded address (of a group the folded name too) is given up, so that a later account with the same
    address is somebody else.
    """
    rows = await txn.query("select guid from principals where principal_id = %s", (principal_id,))
    await txn.run(
        "update principals set state = 2, uri_folded = %s, name_folded = '', updated_by = %s, updated_on = %s"
        " where principal_id = %s",
        (f"removed:{rows[0][0]}", stamp.actor, stamp.now, principal_id),
    )
    for table in _TABLES_OF_A_USER:
        # The table names are constants of this module, never input.
        await txn.run(f"delete from {table} where principal_id = %s", (principal_id,))  # noqa: S608
    await txn.run("delete from policies where scope = 'user' and principal_id = %s", (principal_id,))


async def replace_credentials(
    txn: ITransaction, principal_id: int, verifiers: Mapping[tuple[str, str], bytes]
) -> None:
    """Replace all verifiers of an account.

    Args:
        txn: The transaction.
        principal_id: Whose they are.
        verifiers: By (scheme, realm), as `pchat.auth.passwords.verifiers` makes them.
    """
    await txn.run("delete from credentials where principal_id = %s", (principal_id,))
    await txn.run_many(
        "insert into credentials (principal_id, scheme, realm, verifier) values (%s, %s, %s, %s)",
        [(principal_id, scheme, realm, verifier) for (scheme, realm), verifier in verifiers.items()],
    )


async def credentials(txn: ITransaction, principal_id: int) -> dict[tuple[str, str], bytes]:
    """Read all verifiers of an account, by (scheme, realm)."""
    rows = await txn.query(
        "select scheme, realm, verifier from credentials where principal_id = %s", (principal_id,)
    )
    return {(scheme, realm): bytes(verifier) for scheme, realm, verifier in rows}


async def set_policy(txn: ITransaction, policy: PolicyRecord) -> None:
    """Store a policy in place of the one with the same scope and principal."""
    await txn.run(
        "insert into policies (scope, principal_id, enabled, description) values (%s, %s, %s, %s)"
        " on conflict (scope, principal_id)"
        " do update set enabled = excluded.enabled, description = excluded.description",
        (policy.scope, policy.principal_id, int(policy.enabled), policy.description),
    )


async def delete_policy(txn: ITransaction, principal_id: int) -> None:
    """Delete the policy of a user; the global one is in force for him from then on."""
    await txn.run("delete from policies where scope = 'user' and principal_id = %s", (principal_id,))
