"""One administrative change at a time: decided in memory, committed, shown in memory, told to observers."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Coroutine, Iterable, Mapping
from typing import Any

from attrs import field, frozen
from twisted.internet.defer import DeferredLock
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from pchat import ticks
from pchat.directory.local import LocalDirectory
from pchat.directory.people import Principal, PrincipalState
from pchat.errors import AdministrationRefused
from pchat.interfaces import IStore, ITransaction, Random
from pchat.rooms.addins import Addins
from pchat.rooms.category import Category
from pchat.rooms.room import Room
from pchat.rooms.settings import Settings
from pchat.rooms.slices import Pause, no_pause
from pchat.rooms.tree import NodeTree
from pchat.store.addins import AddinRecord, load_addins, read_addins
from pchat.store.audit import AuditEntry, write_audit
from pchat.store.changes import ChangeKey, Stamp, advance_revision
from pchat.store.groups import GroupRecord, group_record
from pchat.store.outbox import Event, record
from pchat.store.people import PeopleSnapshot, PolicyRecord, PrincipalRecord, load_people, principal_record
from pchat.store.rooms import NodeChange, load_nodes, load_settings, read_nodes
from pchat.xccos.codes import ResponseCode

log = Logger()


@frozen
class ChangeEvent:
    """A compliance event of a change, without its time, which is the commit's."""

    event_id: str
    kind: str
    user_id: int | None
    user_uri: str
    user_name: str
    user_email: str
    detail: str
    room_id: int | None = None
    room_uri: str = ""
    room_name: str = ""

    def at(self, now: int) -> Event:
        """Give it its time in ticks."""
        return Event(
            event_id=self.event_id,
            kind=self.kind,
            time_ticks=now,
            room_id=self.room_id,
            room_uri=self.room_uri,
            room_name=self.room_name,
            user_id=self.user_id,
            user_uri=self.user_uri,
            user_name=self.user_name,
            user_email=self.user_email,
            chat_id=0,
            text=None,
            detail=self.detail,
        )


@frozen
class Subject:
    """What a change is about, and what the audit log is told of it.

    Args:
        kind: See `pchat.store.changes.ChangeKey`.
        uri: Its URI, or the name of what has none.
        action: What is done to it, a word: ``add``, ``change``, ``remove``, ``disable``, ….
        number: Its number in the store, None if it is new or has none.
        before: What the changed attributes were, None if it is new.
        after: What they are now, None if it is gone.
    """

    kind: str
    uri: str
    action: str
    number: int | None = None
    before: Mapping[str, Any] | None = None
    after: Mapping[str, Any] | None = None

    @classmethod
    def of(
        cls,
        kind: str,
        changed: Room | Category | Principal,
        action: str,
        before: Mapping[str, Any] | None = None,
        after: Mapping[str, Any] | None = None,
    ) -> Subject:
        """Name something that exists already."""
        return cls(kind, changed.uri, action, changed.id, before, after)

    def entry(self) -> AuditEntry:
        """Write it for the audit log."""
        return AuditEntry(self.action, self.kind, self.uri, self.before, self.after)


@frozen
class Touched:
    """What a change touched, as its body tells: these are read back in the same transaction.

    Args:
        categories, rooms, principals, addins: Numbers, of new and removed ones too.
        groups: Numbers of groups whose members changed.
        policies: Policies as they are now.
        unassigned: Numbers of users who have no policy of their own any more.
        events: Compliance events of the change.
        invited: The number of the invitation of each user that was invited.
    """

    categories: Iterable[int] = ()
    rooms: Iterable[int] = ()
    principals: Iterable[int] = ()
    groups: Iterable[int] = ()
    policies: tuple[PolicyRecord, ...] = ()
    unassigned: Iterable[int] = ()
    events: tuple[ChangeEvent, ...] = ()
    addins: Iterable[int] = ()
    invited: Mapping[int, int] = field(factory=dict)


@frozen
class Committed:
    """What the store holds after a change."""

    nodes: NodeChange
    principals: tuple[PrincipalRecord, ...]
    groups: tuple[GroupRecord, ...]
    policies: tuple[PolicyRecord, ...]
    unassigned: tuple[int, ...]
    addins: Mapping[int, AddinRecord | None]
    invited: Mapping[int, int]


Work = Callable[..., Coroutine[Any, Any, Touched]]


async def _commit(
    txn: ITransaction,
    server_id: int,
    change: ChangeKey,
    stamp: Stamp,
    entry: AuditEntry,
    work: Work,
    *args: Any,
) -> Committed | None:
    revision = await advance_revision(txn, change, stamp)
    if revision is None:
        return None
    touched = await work(txn, stamp, *args)
    await write_audit(txn, stamp, entry)
    if touched.events:
        await record(txn, server_id, [event.at(stamp.now) for event in touched.events])
    nodes = await read_nodes(txn, revision, touched.categories, touched.rooms)
    principals = [await principal_record(txn, number) for number in touched.principals]
    groups = [await group_record(txn, number) for number in touched.groups]
    return Committed(
        nodes,
        tuple(principals),
        tuple(groups),
        touched.policies,
        tuple(touched.unassigned),
        await read_addins(txn, touched.addins),
        touched.invited,
    )


Snapshot = tuple[PeopleSnapshot, NodeChange, tuple[AddinRecord, ...], dict[str, str]]


async def _load(txn: ITransaction) -> Snapshot:
    return await load_people(txn), await load_nodes(txn), await load_addins(txn), await load_settings(txn)


class ChangeDesk:
    """Keeps memory and store the same: nothing changes in memory that was not read back from a commit.

    Args:
        store: The chat store.
        directory: People in memory.
        tree: Rooms and categories in memory.
        settings: Settings in memory.
        clock: Server time.
        random: Unpredictable bytes, for GUIDs and event ids.
        pause: Lets others have their turn while very many are gone through.
    """

    def __init__(
        self,
        *,
        store: IStore,
        directory: LocalDirectory,
        tree: NodeTree,
        settings: Settings,
        clock: IReactorTime,
        random: Random,
        pause: Pause = no_pause,
    ) -> None:
        self.store = store
        self.pause = pause
        self.directory = directory
        self.tree = tree
        self.addins = Addins()
        self.settings = settings
        #: Held from the decision to the end of the telling: decisions never see half a change.
        self.lock = DeferredLock()
        #: Tells whether somebody who was let in is still to be obeyed.
        self.obeys: Callable[[str], bool] = lambda actor: True
        self._clock = clock
        self._random = random
        self._observers: list[Any] = []

    def observe(self, observer: Any) -> None:
        """Tell an `pchat.rooms.observers.IChangeObserver` of every change from now on."""
        self._observers.append(observer)

    def stamp(self, actor: str) -> Stamp:
        """Tell who changes something now."""
        return Stamp(actor, ticks.from_unix(self._clock.seconds()))

    def check_actor(self, actor: str) -> None:
        """Refuse a change of somebody who lost his rights while it waited for others.

        Raises:
            AdministrationRefused: He asked with a token that is good for nothing by now.
        """
        if not self.obeys(actor):
            raise AdministrationRefused(
                ResponseCode.ERROR_PERMISSION, "the token has expired or was revoked meanwhile"
            )

    def new_guid(self) -> str:
        """Make a GUID in lower case, as it is stored and shown."""
        return str(uuid.UUID(bytes=self._random(16), version=4))

    async def load(self) -> None:
        """Read everything from the store into memory."""
        people, nodes, addins, settings = await self.store.read(_load)
        self.directory.load(people)
        self.addins.load(addins)
        self.tree.load(nodes)
        self.settings.load(settings)

    async def reload(self) -> None:
        """Read everything again after somebody else changed the store, and tell what may have been lost."""
        rooms = list(self.tree.rooms())
        disabled = {room for room in rooms if room.disabled}
        enabled = [user for user in self.directory.users() if self.directory.enabled(user)]
        await self.load()
        left = set(self.tree.rooms())
        self.tell("rights_narrowed", sorted(left, key=lambda room: room.id))
        self.tell("rights_changed", sorted(left, key=lambda room: room.id))
        for room in rooms:
            if room not in left:
                self.tell("room_removed", room)
            elif room.disabled and room not in disabled:
                self.tell("room_disabled", room)
        for user in enabled:
            if not self.directory.enabled(user):
                self.tell("user_ended", user, ended_reason(user))
        self.tell("settings_changed")

    async def commit(self, subject: Subject, actor: str, work: Work, *args: Any) -> Committed:
        """Commit a change and show it in memory; the caller holds the lock and tells observers.

        Args:
            subject: What is changed.
            actor: Who changes it.
            work: ``async def work(txn, stamp, *args) -> Touched``.
            args: Values for it.

        Raises:
            AdministrationRefused: A rule that only the store can check, somebody else was faster, or
                the actor is not obeyed any more.
            StoreUnavailable: Nothing was changed.
        """
        self.check_actor(actor)
        change = ChangeKey(self.tree.revision, subject.kind, subject.number)
        stamp = self.stamp(actor)
        committed: Committed | None = await self.store.write(
            _commit, self.store.server_id, change, stamp, subject.entry(), work, *args
        )
        if committed is None:
            await self.reload()
            raise AdministrationRefused(
                ResponseCode.ERROR_DATA_COLLISION, "somebody else changed something meanwhile; try again"
            )
        # No await from here to the end of the caller's telling: posts see all of the change or nothing.
        for principal in committed.principals:
            self.directory.apply_principal(principal)
        for group in committed.groups:
            self.directory.apply_group(group)
        for number in committed.unassigned:
            self.directory.forget_policy(number)
        for policy in committed.policies:
            self.directory.apply_policy(policy)
        self.addins.apply(committed.addins)
        self.tree.apply(committed.nodes)
        log.info(
            "{actor}: {action} {kind} {uri}",
            actor=actor,
            action=subject.action,
            kind=subject.kind,
            uri=subject.uri,
        )
        return committed

    def tell(self, event: str, *args: Any) -> None:
        """Call a method of `pchat.rooms.observers.IChangeObserver` on every observer; all are told."""
        for observer in self._observers:
            try:
                getattr(observer, event)(*args)
            except Exception:
                # The change is committed; one observer's bug must not keep the others from acting on it.
                log.failure("observer failed at {event}", event=event)

    def event(
        self, kind: str, actor: str, detail: Mapping[str, Any], room: Room | None = None
    ) -> ChangeEvent:
        """Describe a change for compliance.

        Args:
            kind: ``room_change``, ``role_change`` or ``scope_change``.
            actor: Who changes it.
            detail: What was changed; kept as a JSON object.
            room: The room as it is before the change, if it is about one.
        """
        who = self.directory.by_uri(actor)
        return ChangeEvent(
            event_id=self._random(16).hex(),
            kind=kind,
            user_id=who.id if who else None,
            user_uri=who.uri if who else actor,
            user_name=who.shown_name if who else "",
            user_email=who.email if who else "",
            detail=json.dumps(detail, ensure_ascii=False, sort_keys=True),
            room_id=room.id if room else None,
            room_uri=room.uri if room else "",
            room_name=room.name if room else "",
        )


def ended_reason(user: Principal) -> str:
    """Tell why chat is not on for a user: ``disabled``, ``removed`` or ``policy``."""
    return "policy" if user.state is PrincipalState.ACTIVE else user.state.name.lower()
