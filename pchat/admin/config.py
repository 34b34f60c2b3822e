"""``pchatctl config``: settings of the channel service that change while it runs."""

from __future__ import annotations

import click

from pchat.admin.output import print_details
from pchat.admin.program import Noun
from pchat.admin.session import Session, address


@click.group("config", cls=Noun)
def config() -> None:
    """Settings of the channel service; they are in force at once."""


@config.command("show")
@click.pass_obj
def show(session: Session) -> None:
    """Show all settings."""
    session.show(session.ask("GET", address("config")), print_details)


@config.command("set")
@click.argument("key")
@click.argument("value")
@click.pass_obj
def change(session: Session, key: str, value: str) -> None:
    """Change one setting."""
    session.show(session.ask("PUT", address("config", key), {"value": value}), print_details)
