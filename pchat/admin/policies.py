"""``pchatctl policy``: for whom chat is on."""

from __future__ import annotations

from typing import Any

import click

from pchat.admin.output import print_line, print_table
from pchat.admin.program import Noun
from pchat.admin.session import Session, address


@click.group("policy", cls=Noun)
def policies() -> None:
    """For whom chat is on."""


@policies.command("set")
@click.option("--global", "everybody", is_flag=True, help="The policy of all who have none of their own.")
@click.option("--user", metavar="URI", help="The policy of one user.")
@click.option(
    "--enabled",
    type=click.Choice(["yes", "no"], case_sensitive=False),
    required=True,
    help="Whether chat is on.",
)
@click.option("--description", metavar="TEXT")
@click.pass_obj
def set_policy(
    session: Session, everybody: bool, user: str | None, enabled: str, description: str | None
) -> None:
    """Switch chat on or off; a user's own policy beats the global one."""
    path = _path(everybody, user)
    body: dict[str, Any] = {"enabled": enabled == "yes"}
    if description is not None:
        body["description"] = description
    session.show(session.ask("PUT", path, body), _print_change)


def _path(everybody: bool, user: str | None) -> str:
    if everybody and user is not None:
        raise click.UsageError("either --global or --user, not both")
    if not everybody and user is None:
        raise click.UsageError("either --global or --user URI is needed")
    return address("policies", "global") if user is None else address("policies", "users", user)


def _print_change(policy: dict[str, Any]) -> None:
    whose = "The global policy" if policy["uri"] is None else f"The policy of the user {policy['uri']}"
    print_line(f"{whose} is changed: chat is {'on' if policy['enabled'] else 'off'}.")


@policies.command("remove")
@click.option("--global", "everybody", is_flag=True, help="Set the global policy back: chat is off.")
@click.option("--user", metavar="URI", help="Take the policy of one user away.")
@click.pass_obj
def remove(session: Session, everybody: bool, user: str | None) -> None:
    """Take a policy away; for a user the global one is in force then."""
    policy = session.ask("DELETE", _path(everybody, user))
    if user is None:
        session.show(policy, _print_change)
    else:
        told = f"The user {user} has no policy of his own; globally chat is"
        session.show(policy, lambda _: print_line(f"{told} {'on' if policy['enabled'] else 'off'}."))


@policies.command("list")
@click.pass_obj
def list_policies(session: Session) -> None:
    """List the global policy, then those of users."""
    session.show(session.ask("GET", address("policies")), _print_policies)


def _print_policies(found: list[dict[str, Any]]) -> None:
    rows = [(policy["scope"], policy["uri"], policy["enabled"], policy["description"]) for policy in found]
    print_table(
        ("Scope", "User", "Chat", "Description"), rows, "There are no policies: chat is off.", whole=("User",)
    )
