"""``pchatctl category``: scopes that rooms live in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from pchat.admin.names import CATEGORY
from pchat.admin.output import by_name, print_details, print_line, print_table, printable
from pchat.admin.program import Noun
from pchat.admin.session import Session, address

Function = Callable[..., Any]
#: Options by the member of the body that they give.
_LISTS = {"allow": "allowed_members", "deny": "denied_members", "creator": "creators"}


@click.group("category", cls=Noun)
def categories() -> None:
    """Categories: who may be in the rooms of each."""


def _attributes(function: Function) -> Function:
    """Give a command the options that add and set have in common."""
    principal = "address, group or domain; repeatable, '' for nobody"
    options = [
        click.option("--description", metavar="TEXT", help="One line."),
        click.option("--allow", metavar="P", multiple=True, help=f"Who is in scope: {principal}."),
        click.option("--deny", metavar="P", multiple=True, help=f"Who is not, though allowed: {principal}."),
        click.option("--creator", metavar="P", multiple=True, help=f"Who may make rooms: {principal}."),
        click.option("--invitations/--no-invitations", default=None, help="Invite members of its rooms."),
        click.option("--file-upload/--no-file-upload", default=None, help="Let files be posted."),
        click.option("--history/--no-history", "chat_history", default=None, help="Keep messages."),
    ]
    for option in reversed(options):
        function = option(function)
    return function


def _body(given: dict[str, Any]) -> dict[str, Any]:
    lists = {_LISTS[name]: list(given.pop(name)) for name in _LISTS if given[name]}
    for name in _LISTS:
        given.pop(name, None)
    return lists | {name: value for name, value in given.items() if value is not None}


@categories.command("add")
@click.argument("name")
@_attributes
@click.pass_obj
def add(session: Session, /, name: str, **given: Any) -> None:
    """Make a category; nobody is in scope unless allowed."""
    body = {"name": name} | _body(given)
    made = session.ask("POST", address("categories"), body)
    _tell_new(session, made)
    # The remark has told persons.
    session.show(made, lambda _: print_details({k: v for k, v in made.items() if k != "new_domains"}))


def _tell_new(session: Session, changed: dict[str, Any]) -> None:
    """Tell of domains that nobody named before: a slip of the pen would let strangers in, or nobody."""
    for domain in changed["new_domains"]:
        session.remark(f"{domain} is new here: everybody in that domain; was it meant?")


@categories.command("list")
@click.pass_obj
def list_categories(session: Session) -> None:
    """List all categories."""
    session.show(session.ask("GET", address("categories")), _print_categories)


def _print_categories(found: list[dict[str, Any]]) -> None:
    rows = [
        (
            category["name"],
            category["description"],
            category["allowed_members"],
            category["denied_members"],
            category["number_of_chat_rooms"],
        )
        for category in by_name(found)
    ]
    print_table(("Name", "Description", "Allowed", "Denied", "Rooms"), rows, "There are no categories.")


@categories.command("show")
@click.argument("category", shell_complete=CATEGORY)
@click.pass_obj
def show(session: Session, category: str) -> None:
    """Show one category, by its name or URI."""
    session.show(session.ask("GET", address("categories", category)), print_details)


@categories.command("set")
@click.argument("category", shell_complete=CATEGORY)
@click.option("--name", metavar="NAME", help="A new name.")
@_attributes
@click.pass_obj
def change(session: Session, /, category: str, **given: Any) -> None:
    """Change a category; a list that is given replaces the whole list.

    Roles outside a narrower scope are taken away, and are not given back when it is widened again.
    """
    body = _body(given)
    if not body:
        raise click.UsageError("nothing to change is given")
    changed = session.ask("PATCH", address("categories", category), body)
    session.tell_removed(changed["removed"], "outside the new scope")
    _tell_new(session, changed)
    session.show(changed, lambda _: print_line(f"The category {changed['name']} is changed."))


@categories.command("remove")
@click.argument("category", shell_complete=CATEGORY)
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def remove(session: Session, category: str, yes: bool) -> None:
    """Remove a category that has no rooms."""
    session.confirm(f"Remove the category {printable(category)}?", sure=yes)
    session.ask("DELETE", address("categories", category))
    session.say(f"The category {category} is removed.")
