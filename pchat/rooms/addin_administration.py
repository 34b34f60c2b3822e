"""Add-ins: web pages that administrators register, and of which a manager may choose one for his room."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pchat.errors import AdministrationRefused
from pchat.interfaces import ITransaction
from pchat.rooms.committing import ChangeDesk, ChangeEvent, Subject, Touched
from pchat.rooms.names import check_name, fold
from pchat.rooms.room import Room
from pchat.rooms.room_words import changed, known_addin
from pchat.rooms.settings import WebAddress
from pchat.rooms.shown import Shown, addin_shown
from pchat.store.addins import AddinFields, AddinRecord, delete_addin, insert_addin, update_addin
from pchat.store.changes import Stamp
from pchat.xccos.codes import ResponseCode

#: Limit L-2: the reference server keeps names of add-ins in nvarchar(50).
NAME_CHARACTERS = 50


async def _add(txn: ITransaction, stamp: Stamp, guid: str, fields: AddinFields) -> Touched:
    return Touched(addins=[await insert_addin(txn, guid, fields, stamp)])


async def _change(txn: ITransaction, stamp: Stamp, number: int, fields: AddinFields) -> Touched:
    await update_addin(txn, number, fields, stamp)
    return Touched(addins=[number])


async def _remove(
    txn: ITransaction, stamp: Stamp, addin: AddinRecord, rooms: list[int], events: tuple[ChangeEvent, ...]
) -> Touched:
    await delete_addin(txn, addin.addin_id, addin.guid, stamp)
    return Touched(addins=[addin.addin_id], rooms=rooms, events=events)


class AddinAdministration:
    """The verbs of ``pchatctl addin``; only administrators register add-ins.

    Args:
        desk: Commits the changes.

    Source: docs/spec/persistent-chat-server.md sections 4.10 and 7.
    """

    def __init__(self, desk: ChangeDesk) -> None:
        self._desk = desk

    # -- asking

    def list_addins(self) -> list[Shown]:
        """List all add-ins, in the order in which they were registered."""
        return [self._shown(addin) for addin in self._desk.addins]

    def show_addin(self, text: str) -> Shown:
        """Show one add-in, by its name or GUID.

        Raises:
            AdministrationRefused: There is none.
        """
        return self._shown(known_addin(self._desk.addins, text))

    def _shown(self, addin: AddinRecord) -> Shown:
        return addin_shown(addin, len(self._rooms(addin)))

    def _rooms(self, addin: AddinRecord) -> list[Room]:
        return [room for room in self._desk.tree.rooms() if room.addin_guid == addin.guid]

    # -- changing

    async def add_addin(self, actor: str, name: str, url: str) -> Shown:
        """Register an add-in.

        Args:
            actor: Who does it.
            name: A name that no other add-in has, at most 50 characters.
            url: An http or https address, at most 255 characters.

        Raises:
            AdministrationRefused: Name taken or bad, or no such address.
        """
        fields = _fields(name, url)
        async with self._desk.lock:
            self._check_free(fields)
            guid = self._desk.new_guid()
            subject = Subject("addin", fields.name, "add", after=_told(fields) | {"guid": guid})
            await self._desk.commit(subject, actor, _add, guid, fields)
            return self.show_addin(guid)

    async def change_addin(
        self, actor: str, text: str, *, name: str | None = None, url: str | None = None
    ) -> Shown:
        """Change an add-in; the clients in its rooms are told.

        Args:
            actor: Who does it.
            text: Its name or GUID.
            name, url: As `add_addin` takes them; what is None stays as it is.

        Raises:
            AdministrationRefused: No such add-in, name taken or bad, or no such address.
        """
        async with self._desk.lock:
            addin = known_addin(self._desk.addins, text)
            fields = _fields(addin.name if name is None else name, addin.url if url is None else url)
            self._check_free(fields, addin)
            old, new = changed(_told(_fields(addin.name, addin.url)), _told(fields))
            subject = Subject("addin", addin.name, "change", addin.addin_id, old, new)
            await self._desk.commit(subject, actor, _change, addin.addin_id, fields)
            if new:
                for room in self._rooms(addin):
                    self._desk.tell("room_changed", room)
            return self.show_addin(addin.guid)

    async def remove_addin(self, actor: str, text: str, *, force: bool = False) -> None:
        """Remove an add-in that no room has.

        Args:
            actor: Who does it.
            text: Its name or GUID.
            force: Take it from the rooms that have it.

        Raises:
            AdministrationRefused: No such add-in, or rooms have it.
        """
        async with self._desk.lock:
            addin = known_addin(self._desk.addins, text)
            rooms = self._rooms(addin)
            if rooms and not force:
                raise AdministrationRefused(
                    ResponseCode.ERROR_INVALID_ARGUMENT,
                    f"{_rooms_have(rooms)} the add-in {addin.name!r}; with --force it is taken away",
                )
            before = _told(_fields(addin.name, addin.url)) | {"rooms": [room.uri for room in rooms]}
            subject = Subject("addin", addin.name, "remove", addin.addin_id, before)
            detail = {"change": "changed", "before": {"addin": addin.name}, "after": {"addin": None}}
            events = tuple(self._desk.event("room_change", actor, detail, room) for room in rooms)
            numbers = [room.id for room in rooms]
            await self._desk.commit(subject, actor, _remove, addin, numbers, events)
            for room in rooms:
                self._desk.tell("room_changed", room)

    def _check_free(self, fields: AddinFields, own: AddinRecord | None = None) -> None:
        holder = self._desk.addins.by_name(fields.name)
        if holder is not None and (own is None or holder.addin_id != own.addin_id):
            raise AdministrationRefused(
                ResponseCode.ERROR_DUPLICATE_NAME, f"there is already an add-in {holder.name!r}"
            )


def _fields(name: str, url: str) -> AddinFields:
    checked = check_name(name, "add-in", NAME_CHARACTERS)
    address = WebAddress(required=True).read("the add-in address", url)
    return AddinFields(checked, fold(checked), address)


def _rooms_have(rooms: Sequence[Room]) -> str:
    if len(rooms) == 1:
        return f"the room {rooms[0].name!r} has"
    return f"{len(rooms)} rooms, such as {rooms[0].name!r}, have"


def _told(fields: AddinFields) -> dict[str, Any]:
    return {"name": fields.name, "url": fields.url}
