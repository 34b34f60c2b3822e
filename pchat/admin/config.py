"""``pchatctl config``: settings of the channel service that change while it runs."""

from __future__ import annotations

from typing import Any

import click
from attrs import astuple

from pchat.admin.names import SETTING
from pchat.admin.output import print_line, print_table
from pchat.admin.program import Noun
from pchat.admin.session import Session, address
from pchat.rooms.settings import described


@click.group("config", cls=Noun)
def config() -> None:
    """Settings of the channel service; they are in force at once."""


@config.command("show")
@click.pass_obj
def show(session: Session) -> None:
    """Show all settings."""
    session.show(session.ask("GET", address("config")), _print_settings)


def _print_settings(found: dict[str, Any]) -> None:
    # A newer server may have settings that we cannot explain.
    about = described()
    rows = [
        (name, value, *(astuple(about[name]) if name in about else ("", ""))) for name, value in found.items()
    ]
    columns = ("Setting", "Value", "Default", "Meaning")
    print_table(columns, rows, "There are no settings.", whole=("Setting",))


@config.command("set")
@click.argument("key", shell_complete=SETTING)
@click.argument("value")
@click.pass_obj
def change(session: Session, key: str, value: str) -> None:
    """Change one setting."""
    found = session.ask("PUT", address("config", key), {"value": value})
    name = key.strip().lower().replace("_", "-")
    session.show(found, lambda _: print_line(f"The setting {name} is {found.get(name, value) or 'empty'}."))


@config.command("reset")
@click.argument("key", shell_complete=SETTING)
@click.pass_obj
def reset(session: Session, key: str) -> None:
    """Give one setting its default again."""
    found = session.ask("DELETE", address("config", key))
    name = key.strip().lower().replace("_", "-")
    session.show(found, lambda _: print_line(f"The setting {name} is {found.get(name) or 'empty'} again."))
