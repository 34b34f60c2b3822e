"""``pchatctl group``: sets of people that rights are granted to."""

from __future__ import annotations

from typing import Any

import click

from pchat.admin.names import GROUP
from pchat.admin.output import by_name, print_details, print_line, print_table, printable
from pchat.admin.program import Noun
from pchat.admin.session import Session, address


@click.group("group", cls=Noun)
def groups() -> None:
    """Groups of people; each is named by its name or URI."""


@groups.command("add")
@click.argument("name")
@click.option("--description", metavar="TEXT", help="One line.")
@click.option("--member", metavar="P", multiple=True, help="A user or another group; repeatable.")
@click.pass_obj
def add(session: Session, /, name: str, description: str | None, member: tuple[str, ...]) -> None:
    """Make a group."""
    body: dict[str, Any] = {"name": name, "members": list(member)}
    if description is not None:
        body["description"] = description
    session.show(session.ask("POST", address("groups"), body), print_details)


@groups.command("list")
@click.pass_obj
def list_groups(session: Session) -> None:
    """List all groups."""
    session.show(session.ask("GET", address("groups")), _print_groups)


def _print_groups(found: list[dict[str, Any]]) -> None:
    rows = [
        (group["name"], group["description"], group["number_of_members"], group["uri"])
        for group in by_name(found)
    ]
    print_table(("Name", "Description", "Members", "URI"), rows, "There are no groups.", whole=("URI",))


@groups.command("show")
@click.argument("group", shell_complete=GROUP)
@click.pass_obj
def show(session: Session, group: str) -> None:
    """Show one group with its members."""
    session.show(session.ask("GET", address("groups", group)), print_details)


@groups.command("set")
@click.argument("group", shell_complete=GROUP)
@click.option("--name", metavar="NAME", help="A new name.")
@click.option("--description", metavar="TEXT", help="One line.")
@click.pass_obj
def change(session: Session, /, group: str, **given: str | None) -> None:
    """Rename or describe a group; whatever was granted to it stays."""
    body = {name: text for name, text in given.items() if text is not None}
    if not body:
        raise click.UsageError("nothing to change is given")
    changed = session.ask("PATCH", address("groups", group), body)
    session.show(changed, lambda _: print_line(f"The group {changed['name']} is changed."))


@groups.command("remove")
@click.argument("group", shell_complete=GROUP)
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def remove(session: Session, group: str, yes: bool) -> None:
    """Remove a group from all lists that name it; its members stay."""
    session.confirm(f"Remove the group {printable(group)} with all that it was granted?", sure=yes)
    removed = session.ask("DELETE", address("groups", group))
    session.tell_removed(removed["removed"], "of the group")
    session.show(removed, lambda _: print_line(f"The group {group} is removed."))


@groups.group("member")
def members() -> None:
    """Who belongs to a group directly: users and other groups."""


def _print_members(found: list[dict[str, Any]]) -> None:
    rows = [(entry.get("name", entry["uri"]), entry["kind"]) for entry in found]
    print_table(("Member", "Kind"), rows, "The group has no members.", whole=("Member",))


@members.command("list")
@click.argument("group", shell_complete=GROUP)
@click.pass_obj
def list_members(session: Session, group: str) -> None:
    """List the members of a group."""
    session.show(session.ask("GET", address("groups", group, "members")), _print_members)


@members.command("add")
@click.argument("group", shell_complete=GROUP)
@click.argument("principals", metavar="PRINCIPAL...", nargs=-1, required=True)
@click.pass_obj
def add_members(session: Session, group: str, principals: tuple[str, ...]) -> None:
    """Put users and groups into a group: all of those named, or none."""
    body = {"principals": list(principals)}
    session.show(session.ask("POST", address("groups", group, "members"), body), _print_members)


@members.command("remove")
@click.argument("group", shell_complete=GROUP)
@click.argument("principals", metavar="PRINCIPAL...", nargs=-1, required=True)
@click.pass_obj
def remove_members(session: Session, group: str, principals: tuple[str, ...]) -> None:
    """Take users and groups from a group: all of those named, or none."""
    body = {"principals": list(principals)}
    session.show(session.ask("POST", address("groups", group, "members", "remove"), body), _print_members)
