"""SQL of the tokens for the administration interface; of a secret only its hash is here."""

from __future__ import annotations

from attrs import frozen

from pchat.interfaces import ITransaction

_COLUMNS = "name, verifier, scopes, created_by, created_on, expires_on, revoked_on"


@frozen
class TokenRecord:
    """One row of ``api_tokens``.

    Args:
        name: Who uses it, in the operator's words.
        verifier: SHA-256 of the token's text.
        scopes: What it is good for, parted by blanks.
        created_by: Who made it.
        created_on, expires_on: Ticks.
        revoked_on: Ticks, None if it was not revoked.
    """

    name: str
    verifier: bytes
    scopes: str
    created_by: str
    created_on: int
    expires_on: int
    revoked_on: int | None = None


async def load_tokens(txn: ITransaction) -> tuple[TokenRecord, ...]:
    """Read all tokens, in the order in which they were made."""
    rows = await txn.query(f"select {_COLUMNS} from api_tokens order by token_id")  # noqa: S608 – columns
    return tuple(TokenRecord(*row) for row in rows)


async def put_token(txn: ITransaction, token: TokenRecord) -> None:
    """Store a new token; one of the same name, of which nothing is left but the name, makes room for it."""
    await txn.run("delete from api_tokens where name = %s", (token.name,))
    await txn.run(
        f"insert into api_tokens ({_COLUMNS}) values (%s, %s, %s, %s, %s, %s, %s)",  # noqa: S608 – columns
        (
            *(token.name, token.verifier, token.scopes, token.created_by),
            *(token.created_on, token.expires_on, token.revoked_on),
        ),
    )


async def revoke_token(txn: ITransaction, name: str, now: int) -> None:
    """Write down that a token is good for nothing from now on."""
    await txn.run("update api_tokens set revoked_on = %s where name = %s", (now, name))
