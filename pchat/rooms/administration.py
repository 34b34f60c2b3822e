"""Administration of the channel service: one door for people, policies, categories, rooms and settings."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from twisted.internet.defer import maybeDeferred
from twisted.internet.interfaces import IReactorTime

from pchat.directory.local import LocalDirectory
from pchat.errors import AdministrationRefused
from pchat.interfaces import IStore, ITransaction, Random
from pchat.rooms.access import Access
from pchat.rooms.addin_administration import AddinAdministration
from pchat.rooms.addins import Addins
from pchat.rooms.category_administration import CategoryAdministration
from pchat.rooms.committing import ChangeDesk, Subject, Touched
from pchat.rooms.eligible import Eligible
from pchat.rooms.eligible_administration import EligibleAdministration
from pchat.rooms.group_administration import GroupAdministration
from pchat.rooms.invitation_report import InvitationReport
from pchat.rooms.message_administration import MessageAdministration
from pchat.rooms.observers import IChangeObserver
from pchat.rooms.people_administration import PeopleAdministration, RunInThread
from pchat.rooms.role_lists import RoleRules
from pchat.rooms.room_administration import RoomAdministration
from pchat.rooms.search_gate import SearchGate
from pchat.rooms.settings import Settings, check_setting, option_of
from pchat.rooms.slices import Pause, no_pause
from pchat.rooms.token_administration import TokenAdministration
from pchat.rooms.tree import NodeTree
from pchat.rooms.usage import UsageReport
from pchat.store.changes import Stamp
from pchat.store.rooms import forget_setting, store_setting

__all__ = ["Administration", "IChangeObserver", "SettingsAdministration"]


async def _store_setting(txn: ITransaction, stamp: Stamp, name: str, value: str) -> Touched:
    await store_setting(txn, name, value)
    return Touched()


async def _forget_setting(txn: ITransaction, stamp: Stamp, name: str) -> Touched:
    await forget_setting(txn, name)
    return Touched()


class SettingsAdministration:
    """The verbs of ``pchatctl config``.

    Args:
        desk: Commits the changes.

    Source: docs/spec/persistent-chat-server.md section 9.
    """

    def __init__(self, desk: ChangeDesk) -> None:
        self._desk = desk

    def show_settings(self) -> dict[str, int | str]:
        """Show all settings by name."""
        return self._desk.settings.shown()

    async def set_setting(self, actor: str, name: str, text: str) -> dict[str, int | str]:
        """Change one setting; it is in force at once.

        Raises:
            AdministrationRefused: No such setting, or the value is out of its range.
        """
        value, option = check_setting(name, text), option_of(name)
        async with self._desk.lock:
            before, after = {option: self.show_settings()[option]}, {option: value}
            subject = Subject("setting", option, "set", before=before, after=after)
            await self._desk.commit(subject, actor, _store_setting, option, str(value))
            self._desk.settings.apply(option, str(value))
            self._desk.tell("settings_changed")
        return self.show_settings()

    async def reset_setting(self, actor: str, name: str) -> dict[str, int | str]:
        """Give one setting its default again.

        Raises:
            AdministrationRefused: No such setting.
        """
        option = option_of(name)
        async with self._desk.lock:
            before, after = {option: self.show_settings()[option]}, {option: Settings().shown()[option]}
            subject = Subject("setting", option, "reset", before=before, after=after)
            await self._desk.commit(subject, actor, _forget_setting, option)
            self._desk.settings.reset(option)
            self._desk.tell("settings_changed")
        return self.show_settings()


class Administration:
    """Puts the verbs together; a server has one, and ``pchatctl`` makes one when no server runs.

    Args:
        store: The chat store.
        directory: People in memory; filled by `load`.
        tree: Rooms and categories in memory; filled by `load`.
        access: Who may do what.
        settings: Settings in memory; filled by `load`.
        clock: Server time.
        random: Unpredictable bytes, for GUIDs and event ids.
        run_in_thread: For hashing passwords; by default it is done at once.
        pause: Lets others have their turn while very many are gone through; by default nobody waits.
    """

    def __init__(
        self,
        *,
        store: IStore,
        directory: LocalDirectory,
        tree: NodeTree,
        access: Access,
        settings: Settings,
        clock: IReactorTime,
        random: Random,
        run_in_thread: RunInThread = maybeDeferred,
        pause: Pause = no_pause,
    ) -> None:
        self._desk = ChangeDesk(
            store=store,
            directory=directory,
            tree=tree,
            settings=settings,
            clock=clock,
            random=random,
            pause=pause,
        )
        rules = RoleRules(access, directory)
        self.people = PeopleAdministration(self._desk, run_in_thread)
        self.groups = GroupAdministration(self._desk)
        self.invitations = InvitationReport(store, self.people, tree)
        self.categories = CategoryAdministration(self._desk, self.people, access, rules)
        #: One for administrators and users: the store has as many readers as it has.
        self.searches = SearchGate(clock)
        self.rooms = RoomAdministration(self._desk, self.categories, access, rules, self.searches)
        self.eligible = EligibleAdministration(
            self._desk, Eligible(access, directory), self.categories, self.rooms
        )
        self.addins = AddinAdministration(self._desk)
        self.settings = SettingsAdministration(self._desk)
        self.usage = UsageReport(store, directory, tree, clock, self.searches)
        self.tokens = TokenAdministration(self._desk, clock, random)
        self.messages = MessageAdministration(self._desk, self.rooms, self.searches)

    @property
    def registered_addins(self) -> Addins:
        """The add-ins that there are; only administration changes them."""
        return self._desk.addins

    async def load(self) -> None:
        """Read everything from the store into memory; before anything else is asked."""
        await self._desk.load()
        await self.tokens.load()

    async def reload(self) -> None:
        """Read everything again and tell the observers what may have been lost."""
        async with self._desk.lock:
            await self._desk.reload()
            await self.tokens.load()

    def uris_of(self, name: str) -> list[str]:
        """List the URIs of the room, the category and the group that are called so."""
        found = []
        finders: tuple[Callable[[str], Any], ...] = (
            *(self.rooms.room, self.categories.category, self.groups.group),
        )
        for find in finders:
            with suppress(AdministrationRefused):
                found.append(find(name).uri)
        return found

    def observe(self, observer: Any) -> None:
        """Tell an `IChangeObserver` of every change from now on."""
        self._desk.observe(observer)
