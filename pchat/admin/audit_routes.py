"""The audit log of the administration interface."""

from __future__ import annotations

from functools import partial
from typing import Any

from pchat import ticks
from pchat.admin.fields import Field, Text, Time, Word
from pchat.admin.routes import Answer, Call, Page, Route
from pchat.interfaces import IStore
from pchat.rooms.administration import Administration
from pchat.store.audit import KINDS, AuditQuery, AuditRecord, find_audit
from pchat.web.problems import invalid

_FILTERS: dict[str, Field] = {
    "actor": Text("Who did it, such as `local:root` or `token:NAME`."),
    "object": Text("URI of what was changed, or its name; of what is gone and had a URI, that alone."),
    "kind": Word(KINDS, "Kind of what was changed."),
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
        rules: Know what things are called.
    """

    def __init__(self, store: IStore, rules: Administration) -> None:
        self._store = store
        self._rules = rules

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
            elif name == "object":
                wanted["objects"] = (text, *self._rules.uris_of(text))
            else:
                wanted[name] = text
        if wanted.keys() >= {"begin", "end"} and wanted["begin"] > wanted["end"]:
            raise invalid("from is after to")
        # Some filters go through the whole log: they take turns with searches.
        find = partial(self._store.read, find_audit, AuditQuery(**wanted), call.limit, call.offset)
        found, more = await self._rules.searches.run(find)
        return 200, Page([_shown(entry) for entry in found], more, len(found))


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
