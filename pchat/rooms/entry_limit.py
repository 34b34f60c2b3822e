"""How many entries the scopes and role lists of the pool may have together (limit L-10)."""

from __future__ import annotations

from pchat.errors import AdministrationRefused
from pchat.rooms.settings import Settings
from pchat.rooms.tree import NodeTree
from pchat.xccos.codes import ResponseCode


def check_entries(tree: NodeTree, settings: Settings, growth: int) -> None:
    """Refuse a change that makes scopes and role lists too long; one that shortens them always may be.

    Args:
        tree: Counts the entries there are.
        settings: Has the limit.
        growth: Entries that the change adds, less those that it takes away.

    Raises:
        AdministrationRefused: There would be more than ``ace-limit``.

    Source: docs/spec/persistent-chat-server.md section 15 (L-10).
    """
    limit = settings.ace_limit
    if growth > 0 and tree.entries + growth > limit:
        raise AdministrationRefused(
            ResponseCode.ERROR_LIMIT_EXCEEDED,
            f"scopes and role lists have {tree.entries} entries and may have {limit} (ace-limit);"
            " put groups or domains on them instead of single users",
        )
