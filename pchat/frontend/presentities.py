"""Everybody's presence: loaded when needed, changed one request at a time, durable before it is true.

Source: docs/spec/presence.md sections 1, 2, 4 and 5.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Protocol

from attrs import define, field, frozen
from twisted.internet.defer import DeferredLock, ensureDeferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from pchat.endings import at_the_end
from pchat.errors import OutcomeUnknown, SipRefused, StoreError
from pchat.frontend.aggregate import CATEGORY, aggregates
from pchat.frontend.containers import Containers, MembershipChange
from pchat.frontend.deadlines import Deadlines
from pchat.frontend.limits import PresenceLimits
from pchat.frontend.persistence import PresenceRecords
from pchat.frontend.publications import (
    SERVER,
    Decision,
    ExpireType,
    Place,
    Publication,
    PublicationKey,
    PublicationRequest,
    PublicationTable,
)
from pchat.ticks import from_unix, to_unix

if TYPE_CHECKING:
    from pchat.directory.people import Principal

log = Logger()


@define(eq=False)
class Presentity:
    """One user's presence, as it is in memory.

    Args:
        user: Whose it is.
        table: The publications, those that the server makes included.
        containers: Who may see which of them.
        endpoints: Names of the registrations that the user has.
        loaded_at: Ticks; 0 as long as the store was not read.
        offline_since: Ticks; when the last endpoint went, as far as is known.
        stale: Whether a commit is in doubt, so that the store must be read again.
        tidying: Whether it is noted that rows must follow the endpoints.
        aggregated_online: Whether he was online when the aggregates were made; None to make them anew.
        lock: Held while it is changed.
    """

    user: Principal
    table: PublicationTable
    containers: Containers
    endpoints: set[str] = field(factory=set)
    loaded_at: int = 0
    offline_since: int = 0
    stale: bool = False
    tidying: bool = False
    aggregated_online: bool | None = None
    lock: DeferredLock = field(factory=DeferredLock)

    @property
    def loaded(self) -> bool:
        """Whether what is here can be shown."""
        return self.loaded_at != 0 and not self.stale

    @property
    def online(self) -> bool:
        """Whether the user has any endpoint."""
        return bool(self.endpoints)


@frozen
class PresenceChange:
    """What observers are told, after it became true.

    Args:
        presentity: Whose presence it is.
        places: Categories and containers that changed.
        containers: Numbers of the containers whose members changed.
        by: The registration that asked for it and learns it from its answer; '' if nobody did.
    """

    presentity: Presentity
    places: frozenset[Place] = frozenset()
    containers: frozenset[int] = frozenset()
    by: str = ""


class PresenceObserver(Protocol):
    """Who is told of changes."""

    def presence_changed(self, change: PresenceChange) -> None:
        """Learn of a change; it must neither fail nor wait."""


class Presentities:
    """The presence of all users who are signed in or watched.

    Args:
        records: The store's part of it.
        clock: Time in seconds since 1970.
        limits: Bounds for each user.
    """

    def __init__(self, records: PresenceRecords, clock: IReactorTime, limits: PresenceLimits) -> None:
        self.observers: list[PresenceObserver] = []
        #: Asked before somebody without endpoints is forgotten.
        self.needed_by: list[Callable[[Principal], bool]] = []
        self._records = records
        self._clock = clock
        self._limits = limits
        self._users: dict[int, Presentity] = {}
        self._timed: Deadlines[int] = Deadlines(clock, self._time_over)

    def __len__(self) -> int:
        return len(self._users)

    def now(self) -> int:
        """Tell the time in ticks."""
        return from_unix(self._clock.seconds())

    def stop(self) -> None:
        """Stop all timers."""
        self._timed.stop()

    def get(self, user: Principal) -> Presentity | None:
        """Find what is in memory of a user, if it can be shown."""
        presentity = self._users.get(user.id)
        return presentity if presentity is not None and presentity.loaded else None

    async def open(self, user: Principal) -> Presentity:
        """Read a user's presence, from memory if it is there; `release` it when it is no longer needed.

        Raises:
            StoreUnavailable: It has to be read from the store, and cannot be.
        """
        presentity = self.get(user)
        if presentity is not None:
            return presentity
        async with self._alone(user) as presentity:
            return presentity

    # -- requests

    async def publish(
        self, user: Principal, owner: str, requests: Sequence[PublicationRequest]
    ) -> tuple[Presentity, frozenset[Place]]:
        """Carry out a category-publish request, all of it or nothing.

        Args:
            user: Who publishes.
            owner: His registration.
            requests: The publication elements, none twice.

        Returns:
            The user's presence and the places that the request named; static and timed rows are durable.

        Raises:
            VersionConflict: The client was ignorant of newer versions.
            SipRefused: 403, 413 or 503.
            StoreUnavailable: Certainly nothing changed.
        """
        async with self._alone(user) as presentity:
            if owner not in presentity.endpoints:
                raise SipRefused(403, "endpoint is not registered")
            decision = presentity.table.decide(requests, owner, self.now())
            await self._make_durable(presentity, decision)
            presentity.table.apply(decision)
            changed = decision.touched if decision.changes else frozenset[Place]()
            self._changed(presentity, changed, owner)
            return presentity, decision.touched

    async def set_members(self, user: Principal, changes: Sequence[MembershipChange]) -> None:
        """Carry out a change of who sees what, all of it or nothing.

        Raises:
            VersionConflict: The client was ignorant of newer versions.
            SipRefused: 400, 413 or 503.
            StoreUnavailable: Certainly nothing changed.
        """
        async with self._alone(user) as presentity:
            rows = presentity.containers.decide(changes)
            if not rows:
                return
            await self._settled(presentity, self._records.save(user.id, containers=rows))
            presentity.containers.apply(rows)
            self._tell(PresenceChange(presentity, containers=frozenset(row.number for row in rows)))

    # -- endpoints

    def endpoint_added(self, user: Principal, registration: str) -> None:
        """Learn that a user has one more endpoint."""
        presentity = self._presentity(user)
        presentity.endpoints.add(registration)
        self._tidy_later(presentity)

    def endpoint_gone(self, user: Principal, registration: str) -> None:
        """Learn that an endpoint is no longer registered; its rows go, with the last one the user's too."""
        presentity = self._presentity(user)
        presentity.endpoints.discard(registration)
        if not presentity.endpoints:
            presentity.offline_since = self.now()
        self._tidy_later(presentity)

    def release(self, user: Principal) -> None:
        """Forget a user whom nobody needs; the store remembers what is to be kept."""
        presentity = self._users.get(user.id)
        if (
            presentity is not None
            and not presentity.online
            and not presentity.lock.locked
            and not any(needed(user) for needed in self.needed_by)
        ):
            del self._users[user.id]
            self._timed.cancel(user.id)

    def _tidy_later(self, presentity: Presentity) -> None:
        """Make rows follow the endpoints, after what waits already; one such job is enough."""
        if not presentity.tidying:
            presentity.tidying = True
            self._in_background(presentity.user, self._tidy(presentity))

    async def _tidy(self, presentity: Presentity) -> None:
        async with self._alone(presentity.user, bounded=False):
            pass
        self.release(presentity.user)

    # -- time

    def _time_over(self, user_id: int) -> None:
        presentity = self._users.get(user_id)
        if presentity is not None:
            self._in_background(presentity.user, self._expire(presentity.user))

    async def _expire(self, user: Principal) -> None:
        async with self._alone(user, bounded=False) as presentity:
            decision = presentity.table.expired(self.now())
            presentity.table.apply(decision)
            self._changed(presentity, decision.touched, "")
            # They are over whether the store can forget them now or not: reading leaves them out too.
            await self._records.save(user.id, removed=decision.removed)

    # -- one at a time

    def _presentity(self, user: Principal) -> Presentity:
        presentity = self._users.get(user.id)
        if presentity is None:
            presentity = Presentity(user, PublicationTable(self._limits), Containers(self._limits))
            self._users[user.id] = presentity
        return presentity

    @asynccontextmanager
    async def _alone(self, user: Principal, *, bounded: bool = True) -> AsyncIterator[Presentity]:
        """Have a user's presence for oneself, read from the store and up to date; in the order of the calls.

        Args:
            user: Whose presence.
            bounded: Whether this is refused when too much waits already.
        """
        presentity = self._presentity(user)
        if bounded and len(presentity.lock.waiting) >= self._limits.waiting:
            raise SipRefused(503, "Service Unavailable", retry_after=5)
        await presentity.lock.acquire()
        with at_the_end(lambda: self._let_go(presentity)):
            presentity.tidying = False
            if not presentity.loaded:
                await self._load(presentity)
            orphaned = presentity.table.orphaned(presentity.endpoints)
            presentity.table.apply(orphaned)
            self._changed(presentity, orphaned.touched, "")
            yield presentity

    def _let_go(self, presentity: Presentity) -> None:
        self._arm(presentity)
        presentity.lock.release()

    async def _load(self, presentity: Presentity) -> None:
        now = self.now()
        rows, containers = await self._records.load(presentity.user.id)
        current = [row for row in rows if row.expires_at is None or row.expires_at > now]
        kept = [row for row in presentity.table if not row.expire_type.durable]
        presentity.table = PublicationTable(self._limits, [*kept, *current])
        presentity.containers = Containers(self._limits, containers)
        presentity.loaded_at = now
        presentity.aggregated_online = None
        presentity.stale = False
        presentity.offline_since = presentity.offline_since or now

    def _arm(self, presentity: Presentity) -> None:
        soonest = presentity.table.next_expiry()
        if soonest is not None:
            self._timed.set(presentity.user.id, to_unix(soonest))
        else:
            self._timed.cancel(presentity.user.id)

    async def _make_durable(self, presentity: Presentity, decision: Decision) -> None:
        """Commit the part of a decision that outlives us; nothing is written for endpoint and user rows."""
        saved = [row for row in decision.stored if row.expire_type.durable]
        gone = [*decision.removed, *(row.key for row in decision.stored if not row.expire_type.durable)]
        removed = [key for key in gone if _is_durable(presentity.table.get(key))]
        if saved or removed:
            user_id = presentity.user.id
            await self._settled(presentity, self._records.save(user_id, rows=saved, removed=removed))

    @staticmethod
    async def _settled(presentity: Presentity, commit: Awaitable[None]) -> None:
        try:
            await commit
        except OutcomeUnknown as error:
            presentity.stale = True
            raise SipRefused(500, "Server Internal Error") from error

    @staticmethod
    def _in_background(user: Principal, work: Coroutine[Any, Any, None]) -> None:
        def failed(failure: Failure) -> None:
            # Nobody waits for this: what was not done now is done with the user's next request.
            if failure.check(StoreError):
                log.warn("presence of {user} waits: {error}", user=user.uri, error=str(failure.value))
            else:
                log.failure("presence of {user} failed", failure, user=user.uri)

        ensureDeferred(work).addErrback(failed)

    # -- telling

    def _changed(self, presentity: Presentity, places: Iterable[Place], by: str) -> None:
        """Make the aggregates anew if they may have changed, and tell everybody what did."""
        changed = frozenset(places)
        if presentity.aggregated_online != presentity.online or any(
            place.category == CATEGORY for place in changed
        ):
            presentity.aggregated_online = presentity.online
            changed |= self._aggregate(presentity)
        if changed:
            self._tell(PresenceChange(presentity, places=changed, by=by))

    def _tell(self, change: PresenceChange) -> None:
        for observer in self.observers:
            try:
                observer.presence_changed(change)
            except Exception:
                log.failure("telling of {user} failed", user=change.presentity.user.uri)

    def _aggregate(self, presentity: Presentity) -> frozenset[Place]:
        table = presentity.table
        present = {row.key: row for row in table.categories([CATEGORY]) if row.owner == SERVER}
        wanted: dict[PublicationKey, bytes] = {}
        if presentity.online:
            states = aggregates(table.categories([CATEGORY]), online=True)
            wanted = {
                PublicationKey(CATEGORY, number, 1): state.payload() for number, state in states.items()
            }
        now = self.now()
        stored = tuple(
            Publication(
                key=key,
                version=present[key].version + 1 if key in present else 1,
                expire_type=ExpireType.USER,
                expires_at=None,
                published_at=now,
                owner=SERVER,
                payload=payload,
            )
            for key, payload in wanted.items()
            if key not in present or present[key].payload != payload
        )
        removed = tuple(key for key in present if key not in wanted)
        places = frozenset(
            Place(key.category, key.container) for key in (*removed, *(row.key for row in stored))
        )
        table.apply(Decision(stored, removed, places))
        return places


def _is_durable(row: Publication | None) -> bool:
    return row is not None and row.expire_type.durable
