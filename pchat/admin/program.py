"""The command line's frame: global options at every level, errors in one line, exit statuses.

Source: docs/operating.md "Administration" (exit 0, 1 refused, 2 usage).
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

import click

from pchat.admin.output import print_json, printable
from pchat.admin.session import DEFAULT_CONFIG, Refused, Session
from pchat.errors import OperatorError, StoreError

#: What looks like an option though a number is meant; it is told apart by its first digit.
_NUMBER = re.compile(r"-[0-9]")


def _take_config(ctx: click.Context, _: click.Parameter, value: Path | None) -> None:
    session = ctx.find_object(Session)
    if session is not None and value is not None:
        session.config_path = value


def _take_json(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    session = ctx.find_object(Session)
    if session is not None and value:
        session.as_json = True


def _global_options(*, root: bool) -> list[click.Parameter]:
    config = click.Option(
        ["--config"],
        type=click.Path(path_type=Path),
        expose_value=False,
        callback=_take_config,
        hidden=not root,
        envvar="PCHAT_CONFIG" if root else None,
        default=DEFAULT_CONFIG if root else None,
        show_default=root,
        show_envvar=root,
        metavar="FILE",
        help="Configuration of the server.",
    )
    as_json = click.Option(
        ["--json"], is_flag=True, expose_value=False, callback=_take_json, help="Print JSON, for programs."
    )
    return [config, as_json]


class Count(click.IntRange):
    """A whole number within a range; refused in our words."""

    name = "whole number"

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:
        """Tell what stands for it in the help."""
        return "N"


class Verb(click.Command):
    """A command; it takes the global options too."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params += _global_options(root=False)


class Noun(click.Group):
    """A group of commands; it takes the global options too."""

    command_class = Verb
    group_class = type

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params += _global_options(root=False)


class Program(click.Group):
    """The whole command line."""

    command_class = Verb
    group_class = Noun

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params += _global_options(root=True)

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> NoReturn:
        """Run the command line and end the process."""
        if sys.stdout is None:  # closed by who started us
            sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - open until the end
        given = list(sys.argv[1:] if args is None else args)
        session = extra.setdefault("obj", Session())
        try:
            result = super().main(given, prog_name, complete_var, standalone_mode=False, **extra)
        except click.UsageError as error:
            # The option may stand behind what could not be understood.
            session.as_json = session.as_json or "--json" in given
            _tell_usage(session, error)
            sys.exit(2)
        except Refused as error:
            _tell(session, error.message, error.code)
            sys.exit(1)
        except click.ClickException as error:
            _tell(session, error.format_message(), "refused")
            sys.exit(1)
        except click.Abort:
            _tell(session, "given up", "aborted")
            sys.exit(1)
        except (OperatorError, StoreError) as error:
            _tell(session, str(error), "refused")
            sys.exit(1)
        except OSError as error:
            _forget_output()
            _tell(session, f"given up: {error.strerror or error}", "refused")
            sys.exit(1)
        sys.exit(result if isinstance(result, int) else 0)


def _forget_output() -> None:
    """Lead what could not be printed nowhere; Python would try again at the end, and print how it fails."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.__stdout__.fileno() if sys.__stdout__ else nowhere)


def _tell(session: Session, text: str, code: str) -> None:
    if session.as_json:
        print_json({"error": text, "code": code}, error=True)
    else:
        click.echo(f"pchatctl: {printable(text)}", err=True)


def _tell_usage(session: Session, error: click.UsageError) -> None:
    missing = isinstance(error, click.exceptions.NoArgsIsHelpError)
    text = "a command is missing" if missing else " ".join(error.format_message().split())
    if isinstance(error, click.NoSuchOption) and _NUMBER.fullmatch(error.option_name):
        text += f" If a number is meant, put -- before it: -- {error.option_name}."
    if session.as_json:
        _tell(session, text, "usage")
    elif missing:
        error.show()
    else:
        path = error.ctx.command_path if error.ctx else "pchatctl"
        click.echo(f"{path}: {printable(text)} (see {path} --help)", err=True)
