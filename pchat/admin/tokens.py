"""``pchatctl token``: tokens for the REST interface."""

from __future__ import annotations

import re
import time
from typing import Any

import click

from pchat import ticks
from pchat.admin.fields import TIME_PATTERN
from pchat.admin.output import print_details, print_table, printable
from pchat.admin.program import Noun
from pchat.admin.session import Session, address
from pchat.rooms.token_administration import LONGEST_DAYS, SCOPES

#: Stands for every scope there is when the token is made.
ALL = "all"
_DAY_SECONDS = 86_400


@click.group("token", cls=Noun)
def tokens() -> None:
    """Tokens for the REST interface."""


def _expiry(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    """Turn a number of days into a time; whether a date is too far away is left to the rules."""
    if value is None:
        return None
    if not value.isascii() or not value.isdecimal():
        if not re.fullmatch(TIME_PATTERN, value):
            raise click.BadParameter(f"{value!r} is neither a number of days nor a date such as 2030-12-31")
        return value
    if len(value) > 5 or not 1 <= int(value) <= LONGEST_DAYS:
        raise click.BadParameter(f"a token lasts 1 to {LONGEST_DAYS} days")
    return ticks.to_iso(ticks.from_unix(time.time() + int(value) * _DAY_SECONDS))


@tokens.command("add", epilog="\b\nScopes:\n" + "\n".join(f"  {name:9} {SCOPES[name]}" for name in SCOPES))
@click.argument("name")
@click.option(
    "--scope",
    "scopes",
    type=click.Choice([*SCOPES, ALL]),
    multiple=True,
    required=True,
    help="What it is good for; may be given several times.",
)
@click.option("--expires", metavar="D", callback=_expiry, help="Days, or a date.  [default: 365 days]")
@click.pass_obj
def add(session: Session, name: str, scopes: tuple[str, ...], expires: str | None) -> None:
    """Make a token; it is printed now and never again."""
    body: dict[str, Any] = {"name": name, "scopes": list(SCOPES if ALL in scopes else dict.fromkeys(scopes))}
    if expires is not None:
        body["expires_on"] = expires
    made = session.ask("POST", address("tokens"), body)
    session.show(made, lambda token: print_details({name: token[name] for name in _SHOWN}))
    session.remark("keep the token now: nobody can show it again")


_SHOWN = ("name", "scopes", "expires_on", "token")


@tokens.command("list")
@click.pass_obj
def list_tokens(session: Session) -> None:
    """List tokens: the good ones, the expired and the revoked."""
    session.show(session.ask("GET", address("tokens")), _print_tokens)


def _print_tokens(found: list[dict[str, Any]]) -> None:
    rows = [
        (token["name"], token["scopes"], token["state"], token["expires_on"][:10], token["created_by"])
        for token in found
    ]
    print_table(("Name", "Scopes", "State", "Expires", "Made by"), rows, "There are no tokens.")


@tokens.command("revoke")
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def revoke(session: Session, name: str, yes: bool) -> None:
    """Revoke a token: it is good for nothing from now on."""
    session.confirm(f"Revoke the token {printable(name)}?", sure=yes)
    session.ask("DELETE", address("tokens", name))
    session.say(f"The token {name} is revoked.")
