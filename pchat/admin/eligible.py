"""``pchatctl eligible``: users who could be given a role."""

from __future__ import annotations

from typing import Any

import click

from pchat.admin.names import CATEGORY, ROOM
from pchat.admin.output import print_table
from pchat.admin.program import Count, Verb
from pchat.admin.session import Session, address


@click.command("eligible", cls=Verb)
@click.option("--category", metavar="C", shell_complete=CATEGORY, help="Users in the scope of a category.")
@click.option(
    "--room", metavar="R", shell_complete=ROOM, help="Users who could be on the role lists of a room."
)
@click.option("--presenters", is_flag=True, help="With --room: only those who could present in it.")
@click.option("--filter", "filter_", metavar="T", help="Part of a name, address or mail; * for anything.")
@click.option("--limit", metavar="N", type=Count(min=1), help="Show N at most; otherwise all.")
@click.pass_obj
def eligible(
    session: Session,
    /,
    category: str | None,
    room: str | None,
    presenters: bool,
    filter_: str | None,
    limit: int | None,
) -> None:
    """List users who could be given a role in a category or a room, groups and domains expanded.

    Disabled accounts are left out.
    """
    if (category is None) == (room is None):
        raise click.UsageError("either --category or --room is needed, and not both")
    if presenters and room is None:
        raise click.UsageError("--presenters goes with --room")
    given = {"category": category, "room": room, "filter": filter_}
    query = {name: text for name, text in given.items() if text is not None}
    if presenters:
        query["presenters"] = "true"
    found = session.ask("GET", address("eligible", query=query))
    session.show(found[:limit], _print_users)
    if limit is not None and len(found) > limit:
        more = len(found) - limit
        session.remark(f"{more} more {'is' if more == 1 else 'are'} not shown")


def _print_users(found: list[dict[str, Any]]) -> None:
    rows = [(user["uri"], user["display_name"], user["company"], user["email"]) for user in found]
    print_table(("URI", "Display name", "Company", "Mail"), rows, "There are no such users.", whole=("URI",))
