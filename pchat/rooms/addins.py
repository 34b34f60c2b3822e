"""The registered add-ins in memory: web pages of which a room may have one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from pchat.rooms.names import fold
from pchat.store.addins import AddinRecord


class Addins:
    """All add-ins of the pool, found by GUID and by name.

    Source: docs/spec/persistent-chat-server.md section 4.10.
    """

    def __init__(self) -> None:
        self._by_id: dict[int, AddinRecord] = {}
        self._by_guid: dict[str, AddinRecord] = {}
        self._by_name: dict[str, AddinRecord] = {}

    def __iter__(self) -> Iterator[AddinRecord]:
        """Go through all add-ins, in the order in which they were registered."""
        return (self._by_id[number] for number in sorted(self._by_id))

    def load(self, records: Iterable[AddinRecord]) -> None:
        """Take over everything from the store."""
        for number in list(self._by_id):
            self._forget(number)
        for record in records:
            self._remember(record)

    def apply(self, changed: Mapping[int, AddinRecord | None]) -> None:
        """Take over a change after its commit; None stands for what is gone."""
        for number, record in changed.items():
            self._forget(number)
            if record is not None:
                self._remember(record)

    def _remember(self, record: AddinRecord) -> None:
        self._by_id[record.addin_id] = record
        self._by_guid[record.guid] = record
        self._by_name[fold(record.name)] = record

    def _forget(self, number: int) -> None:
        known = self._by_id.pop(number, None)
        if known is not None:
            del self._by_guid[known.guid]
            del self._by_name[fold(known.name)]

    def by_guid(self, guid: str | None) -> AddinRecord | None:
        """Find an add-in by its GUID, in any case."""
        return None if guid is None else self._by_guid.get(guid.strip().lower())

    def by_name(self, name: str) -> AddinRecord | None:
        """Find an add-in by its name, whatever its case and normal form."""
        return self._by_name.get(fold(name.strip()))

    def find(self, text: str) -> AddinRecord | None:
        """Find an add-in by its name or its GUID."""
        return self.by_name(text) or self.by_guid(text)
