"""Names that a shell completes: those of what the running server has.

Whoever presses a key must not wait, nor read refusals: where nothing answers at once nothing is completed.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Iterable

import click
from click.shell_completion import CompletionItem

from pchat.admin.completion import VARIABLE
from pchat.admin.output import printable
from pchat.admin.routes import MOST_ENTRIES
from pchat.admin.session import Session, address
from pchat.errors import PchatError
from pchat.rooms.names import fold
from pchat.rooms.settings import described

Completion = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]
#: Seconds that a shell waits for names.
SECONDS = 2.0
#: Names that are offered at most.
MOST_OFFERED = 500


def _names_of(resource: str, *, filtered: bool = False) -> Completion:
    """Complete names of a listing.

    Args:
        resource: Its path.
        filtered: Whether the server itself can look for parts of names.
    """

    def complete(ctx: click.Context, _: click.Parameter, begun: str) -> list[CompletionItem]:
        session = ctx.find_object(Session)
        if session is None:
            return []
        query = {"limit": str(MOST_ENTRIES)} | ({"filter": begun} if filtered and begun else {})
        try:
            door = session.open_running(session.config(), SECONDS)
            try:
                status, found = door.call("GET", address(resource, query=query))
            finally:
                door.close()
        except (PchatError, OSError):
            return []
        return [] if status >= 400 else _offered((one["name"] for one in found), begun)

    return complete


def _settings(_: click.Context, __: click.Parameter, begun: str) -> list[CompletionItem]:
    return _offered(described(), begun)


def _offered(names: Iterable[str], begun: str) -> list[CompletionItem]:
    # Bash puts what it is given into the line as it stands, where a name may mean anything; others quote it.
    quote = shlex.quote if os.environ.get(VARIABLE, "").startswith("bash") else str
    fitting = [name for name in names if fold(name).startswith(fold(begun)) and _can_be_typed(name)]
    return [CompletionItem(quote(name)) for name in sorted(fitting, key=fold)[:MOST_OFFERED]]


def _can_be_typed(name: str) -> bool:
    return printable(name) == name and not name.startswith("-")


ROOM = _names_of("rooms", filtered=True)
CATEGORY = _names_of("categories")
GROUP = _names_of("groups")
ADDIN = _names_of("addins")
SETTING: Completion = _settings
