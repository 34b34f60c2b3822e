"""One run of ``pchatctl``: its global options, and how it asks administration."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import click
from attrs import define

from pchat.admin.client import Door, open_door, open_running
from pchat.admin.output import print_json, print_line, printable
from pchat.admin.routes import PREFIX
from pchat.config import Config, load_config
from pchat.errors import ConfigError, OperatorError

DEFAULT_CONFIG = "pchat.toml"
#: Role entries that are named one by one when a change takes them away; --json has all of them.
REMOVED_SHOWN = 10


class Refused(click.ClickException):
    """Administration refused; exit status 1.

    Args:
        detail: One line.
        code: The stable code of the refusal.
    """

    exit_code = 1

    def __init__(self, detail: str, code: str) -> None:
        super().__init__(detail)
        self.code = code


def address(*segments: str, query: Mapping[str, str | Sequence[str]] | None = None) -> str:
    """Write the path of a resource; whatever a segment holds stays within it, and filters may be lists.

    Raises:
        OperatorError: An argument that is no UTF-8 was given.
    """
    try:
        plain = "/".join(quote(segment, safe="") for segment in segments)
        return PREFIX + plain + (f"?{urlencode(query, doseq=True)}" if query else "")
    except UnicodeEncodeError as error:
        raise OperatorError(f"{error.object[:80]!r} is not UTF-8") from error


def _answered(door: Door, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
    status, value = door.call(method, path, body)
    if status >= 400:
        raise Refused(str(value["detail"]), str(value["code"]))
    return value


def _stdin_is_terminal() -> bool:
    return sys.stdin.isatty()


@define
class Session:
    """What every command is given.

    Args:
        config_path: The configuration file.
        as_json: Whether a program reads the output.
        is_terminal: Tells whether a person can be asked.
        open_door: Finds the way to administration.
        open_running: Finds the way to a server that runs.
    """

    config_path: Path = Path(DEFAULT_CONFIG)
    as_json: bool = False
    is_terminal: Callable[[], bool] = _stdin_is_terminal
    open_door: Callable[..., Door] = open_door
    open_running: Callable[..., Door] = open_running

    def config(self) -> Config:
        """Read the configuration.

        Raises:
            ConfigError: It is missing or wrong.
        """
        if self.config_path == Path(DEFAULT_CONFIG) and not self.config_path.exists():
            raise ConfigError(
                DEFAULT_CONFIG, "there is none here; name the server's with --config FILE or PCHAT_CONFIG"
            )
        return load_config(self.config_path, with_tls=False)

    def ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """Ask administration one thing.

        Returns:
            The JSON value of the answer.

        Raises:
            Refused: By the rules.
            OperatorError: There was no answer.
        """
        return self.ask_whom(method, path, body)[1]

    def ask_whom(self, method: str, path: str, body: dict[str, Any] | None = None) -> tuple[bool, Any]:
        """Do as `ask`; tell as well whether a running server answered."""
        door = self.open_door(self.config(), tell=self.remark)
        try:
            return door.running, _answered(door, method, path, body)
        finally:
            door.close()

    @contextmanager
    def asking(self) -> Iterator[Callable[..., Any]]:
        """Keep the way to administration open for several questions.

        Returns:
            A context; within it a function that asks as `ask` does.
        """
        door = self.open_door(self.config(), tell=self.remark)
        try:
            yield partial(_answered, door)
        finally:
            door.close()

    def show(self, value: Any, show_person: Callable[[Any], object]) -> None:
        """Print a value as JSON, or as a person reads it."""
        if self.as_json:
            print_json(value)
        else:
            show_person(value)

    def confirm(self, question: str, *, sure: bool) -> None:
        """Ask a person before something is lost; a script, which has no terminal, has made up its mind.

        Args:
            question: What is about to be lost.
            sure: Whether --yes was given.

        Raises:
            click.Abort: He would rather not.
        """
        if not sure and self.is_terminal():
            click.confirm(question, abort=True, err=True)

    def remark(self, text: str) -> None:
        """Tell a person something beside the answer, on standard error."""
        if not self.as_json:
            click.echo(f"pchatctl: {printable(text)}", err=True)

    def tell_removed(self, entries: Sequence[Mapping[str, Any]], why: str) -> None:
        """Tell a person which role entries a change took away; a program finds them in ``removed``.

        Args:
            entries: Each with ``place``, ``role`` and ``uri``; groups with ``name``.
            why: What they have in common, such as ``outside the new scope``.
        """
        if not entries:
            return
        number = len(entries)
        told = "; ".join(
            f"{entry['role']} {entry.get('name', entry['uri'])} of {entry['place']}"
            for entry in entries[:REMOVED_SHOWN]
        )
        if number > REMOVED_SHOWN:
            told += f"; and {number - REMOVED_SHOWN} more"
        were = "entry {} was" if number == 1 else "entries {} were"
        self.remark(f"{number} role {were.format(why)} taken away: {told}")

    def say(self, text: str) -> None:
        """Print a line for a person; a program learns as much from the exit status."""
        if not self.as_json:
            print_line(text)
