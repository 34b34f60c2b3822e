"""``pchatctl user``: accounts."""

from __future__ import annotations

import sys
from typing import Any

import click

from pchat.admin.names import GROUP
from pchat.admin.output import print_details, print_line, print_table, printable, to_the_second
from pchat.admin.program import Noun
from pchat.admin.session import Session, address
from pchat.errors import OperatorError

#: More than any password may have, with a line end.
PASSWORD_BYTES = 4_096


@click.group("user", cls=Noun)
def users() -> None:
    """Accounts."""


_password_option = click.option(
    "--password-stdin", is_flag=True, help="Read the password from standard input instead of asking for it."
)


def _read_password(session: Session, from_stdin: bool) -> str:
    if from_stdin:
        data = sys.stdin.buffer.read(PASSWORD_BYTES + 1)
        if len(data) > PASSWORD_BYTES:
            raise OperatorError("the password on standard input is too long")
        try:
            return data.decode("utf-8").removesuffix("\n").removesuffix("\r")
        except UnicodeDecodeError:
            raise OperatorError("the password on standard input is not UTF-8") from None
    if not session.is_terminal():
        raise OperatorError(
            "there is no terminal to ask for the password; give it by standard input with --password-stdin"
        )
    answer: str = click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    return answer


@users.command("invitations")
@click.argument("uri")
@click.pass_obj
def invitations(session: Session, uri: str) -> None:
    """List the rooms that a user is invited to, the oldest invitation first."""
    found = session.ask("GET", address("users", uri, "invitations"))
    session.show(
        found,
        lambda entries: print_table(
            ("Number", "Room", "Since"),
            [(entry["invite_id"], entry["room"], to_the_second(entry["created_on"])) for entry in entries],
            "There are no invitations.",
        ),
    )


@users.command("add")
@click.argument("uri")
@click.option("--display-name", metavar="NAME", help="What people read.")
@click.option("--company", metavar="NAME")
@click.option("--email", metavar="ADDRESS")
@_password_option
@click.pass_obj
def add(session: Session, /, uri: str, password_stdin: bool, **names: str | None) -> None:
    """Make an account; the password is asked for."""
    body: dict[str, Any] = {"uri": uri, "password": _read_password(session, password_stdin)}
    body |= {name: text for name, text in names.items() if text is not None}
    session.show(session.ask("POST", address("users"), body), _print_user)


@users.command("list")
@click.option("--filter", "filter_", metavar="T", help="Part of a name, address or mail; * for anything.")
@click.option(
    "--group",
    metavar="G",
    shell_complete=GROUP,
    help="Those who belong to a group, through any number of groups.",
)
@click.option("--disabled/--enabled", default=None, help="Disabled accounts only, or the others only.")
@click.pass_obj
def list_users(session: Session, filter_: str | None, group: str | None, disabled: bool | None) -> None:
    """List accounts: all, or those that pass every filter."""
    given = {"filter": filter_, "group": group}
    query = {name: text for name, text in given.items() if text is not None}
    if disabled is not None:
        query["disabled"] = "true" if disabled else "false"
    none = "There are no such accounts." if query else "There are no accounts."
    session.show(session.ask("GET", address("users", query=query)), lambda found: _print_users(found, none))


def _print_users(found: list[dict[str, Any]], none: str) -> None:
    rows = [(user["uri"], user["display_name"], user["state"], user["enabled"]) for user in found]
    print_table(("URI", "Display name", "State", "Chat"), rows, none, whole=("URI",))


@users.command("show")
@click.argument("uri")
@click.pass_obj
def show(session: Session, uri: str) -> None:
    """Show one account with the groups it belongs to."""
    session.show(session.ask("GET", address("users", uri)), _print_user)


def _print_user(user: dict[str, Any]) -> None:
    # What programs know as ``enabled`` would be taken for the account's state.
    print_details({"chat" if name == "enabled" else name: value for name, value in user.items()})


@users.command("set")
@click.argument("uri")
@click.option("--display-name", metavar="NAME", help="What people read.")
@click.option("--company", metavar="NAME")
@click.option("--email", metavar="ADDRESS")
@click.pass_obj
def change(session: Session, /, uri: str, **names: str | None) -> None:
    """Change what people read of a user; '' takes a name away."""
    body = {name: text for name, text in names.items() if text is not None}
    if not body:
        raise click.UsageError("nothing to change is given")
    changed = session.ask("PATCH", address("users", uri), body)
    session.show(changed, lambda user: print_line(f"The user {user['uri']} is changed."))


@users.command("disable")
@click.argument("uri")
@click.pass_obj
def disable(session: Session, uri: str) -> None:
    """Disable an account: its sessions end, its roles stay."""
    session.show(session.ask("POST", address("users", uri, "disable")), _print_state)


@users.command("enable")
@click.argument("uri")
@click.pass_obj
def enable(session: Session, uri: str) -> None:
    """Enable a disabled account."""
    session.show(session.ask("POST", address("users", uri, "enable")), _print_state)


def _print_state(user: dict[str, Any]) -> None:
    word = "enabled" if user["state"] == "active" else user["state"]
    print_line(f"The user {user['uri']} is {word}.")


@users.command("remove")
@click.argument("uri")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def remove(session: Session, uri: str, yes: bool) -> None:
    """Remove an account with all that it was granted; its messages stay."""
    session.confirm(f"Remove the user {printable(uri)} with all roles?", sure=yes)
    removed = session.ask("DELETE", address("users", uri))
    session.tell_removed(removed["removed"], "of the user")
    session.show(removed, lambda _: print_line(f"The user {uri} is removed."))


@users.command("password")
@click.argument("uri")
@_password_option
@click.pass_obj
def password(session: Session, uri: str, password_stdin: bool) -> None:
    """Replace the password of an account."""
    secret = _read_password(session, password_stdin)
    session.ask("PUT", address("users", uri, "password"), {"password": secret})
    session.say(f"The password of the user {uri} is changed.")
