"""``pchatctl addin``: web pages that rooms may show."""

from __future__ import annotations

from typing import Any

import click

from pchat.admin.names import ADDIN
from pchat.admin.output import by_name, print_details, print_line, print_table, printable
from pchat.admin.program import Noun
from pchat.admin.session import Session, address


@click.group("addin", cls=Noun)
def addins() -> None:
    """Add-ins: web pages of which a room may show one; each is named by its name or GUID."""


@addins.command("add")
@click.argument("name")
@click.argument("url")
@click.pass_obj
def add(session: Session, name: str, url: str) -> None:
    """Register an add-in, with its http or https address."""
    session.show(session.ask("POST", address("addins"), {"name": name, "url": url}), print_details)


@addins.command("list")
@click.pass_obj
def list_addins(session: Session) -> None:
    """List all add-ins."""
    session.show(session.ask("GET", address("addins")), _print_addins)


def _print_addins(found: list[dict[str, Any]]) -> None:
    rows = [
        (addin["name"], addin["url"], addin["number_of_chat_rooms"], addin["guid"])
        for addin in by_name(found)
    ]
    print_table(("Name", "URL", "Rooms", "GUID"), rows, "There are no add-ins.", whole=("GUID",))


@addins.command("show")
@click.argument("addin", shell_complete=ADDIN)
@click.pass_obj
def show(session: Session, addin: str) -> None:
    """Show one add-in."""
    session.show(session.ask("GET", address("addins", addin)), print_details)


@addins.command("set")
@click.argument("addin", shell_complete=ADDIN)
@click.option("--name", metavar="NAME", help="A new name.")
@click.option("--url", metavar="URL", help="A new http or https address.")
@click.pass_obj
def change(session: Session, addin: str, name: str | None, url: str | None) -> None:
    """Change an add-in; clients in the rooms that have it are told."""
    body = {key: value for key, value in (("name", name), ("url", url)) if value is not None}
    if not body:
        raise click.UsageError("nothing to change is given")
    changed = session.ask("PATCH", address("addins", addin), body)
    session.show(changed, lambda _: print_line(f"The add-in {changed['name']} is changed."))


@addins.command("remove")
@click.argument("addin", shell_complete=ADDIN)
@click.option("--force", is_flag=True, help="Take it from the rooms that have it.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def remove(session: Session, addin: str, force: bool, yes: bool) -> None:
    """Remove an add-in that no room has."""
    session.confirm(f"Remove the add-in {printable(addin)}?", sure=yes)
    query = {"force": "true"} if force else None
    session.ask("DELETE", address("addins", addin, query=query))
    session.say(f"The add-in {addin} is removed.")
