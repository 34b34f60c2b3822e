"""The audit log of the administration interface."""

from __future__ import annotations

from typing import Any

from pchat import ticks
from pchat.admin.fields import Field, Text, Time
from pchat.admin.routes import Answer, Call, Page, Route
from pchat.interfaces import IStore
from pchat.store.audit import AuditQuery, AuditRecord, find_audit

_FILTERS: dict[str, Field] = {
    "actor": Text("Who did it, such as `local:root` or `token:NAME`."),
    "object": Text("URI of what was changed, or its name if it has no URI."),
    "kind": Text("Kind of what was changed, such as `room`."),
    "action": Text("What was done, such as `add`."),
    "from": Time("Not before this time."),
    "to": Time("Not after this time; a date alone is that whole day."),
}
#: Filters that are times: what `AuditQuery` calls them, and how they are read.
_BOUNDS = {"from": ("begin", ticks.from_iso), "to": ("end", ticks.end_from_iso)}


class AuditRoutes:
    """The resource ``audit``.

    Args:
        store: Where the log is.
    """

    def __init__(self, store: IStore) -> None:
        self._store = store

    def routes(self) -> list[Route]:
        """List the operations."""
        return [
            Route(
                *("GET", "audit", self._list),
                query=_FILTERS,
                summary="List changes, the newest first",
                scope="audit",
                answer="AuditEntries",
            )
        ]

    async def _list(self, call: Call) -> Answer:
        wanted: dict[str, Any] = {}
        for name, text in call.query.items():
            if name in _BOUNDS:
                argument, read = _BOUNDS[name]
                wanted[argument] = read(text)
            else:
                wanted[name] = text
        found, more = await self._store.read(find_audit, AuditQuery(**wanted), call.limit, call.offset)
        return 200, Page([_shown(entry) for entry in found], more)


def _shown(entry: AuditRecord) -> dict[str, Any]:
    return {
        "time": ticks.to_iso(entry.time_ticks),
        "actor": entry.actor,
        "action": entry.action,
        "kind": entry.kind,
        "object": entry.object,
        "before": entry.before,
        "after": entry.after,
    }
