"""The publications of one user: keys, versions, expiry and limits. No I/O, no clock.

A request is decided as a whole (`PublicationTable.decide`), made durable by the caller, and only then
applied (`PublicationTable.apply`); so memory never knows what the store does not.

Source: docs/spec/presence.md sections 0, 1, 2 and 7.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence, Set
from enum import Enum
from typing import NamedTuple

from attrs import frozen

from pchat.errors import PeerError, SipRefused
from pchat.frontend.limits import PresenceLimits
from pchat.ticks import TICKS_PER_SECOND

#: Owner of the rows that the server makes; registrations have other names.
SERVER = "server"


class ExpireType(Enum):
    """When a publication ends by itself.

    Source: docs/spec/presence.md section 2.
    """

    STATIC = "static"
    ENDPOINT = "endpoint"
    USER = "user"
    TIME = "time"

    @property
    def durable(self) -> bool:
        """Whether such a publication outlives a restart of the server."""
        return self in (ExpireType.STATIC, ExpireType.TIME)


class PublicationKey(NamedTuple):
    """What makes a publication the same one: the three values that UCMA names too."""

    category: str
    container: int
    instance: int


class Place(NamedTuple):
    """A category in a container: what a notification replaces as a whole."""

    category: str
    container: int


@frozen
class Publication:
    """A publication as it is stored.

    Args:
        key: Category, container and instance.
        version: 1 for the first one, one more with each change.
        expire_type: When it ends.
        expires_at: Ticks; only for `ExpireType.TIME`.
        published_at: Ticks.
        owner: The registration that published an endpoint row last, `SERVER`, or ''.
        payload: The element inside, as UTF-8; may be empty.
    """

    key: PublicationKey
    version: int
    expire_type: ExpireType
    expires_at: int | None
    published_at: int
    owner: str
    payload: bytes

    @property
    def place(self) -> Place:
        """The category and container that it lies in."""
        return Place(self.key.category, self.key.container)


@frozen
class PublicationRequest:
    """One publication element of a SERVICE.

    Args:
        key: Category, container and instance.
        version: The version that the client believes to be current.
        expire_type: When it is to end.
        expires: Seconds, None if not said; 0 with any type deletes.
        payload: The element inside, as UTF-8; may be empty.
    """

    key: PublicationKey
    version: int
    expire_type: ExpireType
    expires: int | None
    payload: bytes

    @property
    def deletes(self) -> bool:
        """Whether it asks to delete."""
        return self.expires == 0


@frozen
class Conflict:
    """One element of a request whose version is not the current one.

    Args:
        index: Position in the request, from 1.
        version: What the request said.
        current: What is stored; 0 if nothing is.
    """

    index: int
    version: int
    current: int


class VersionConflict(PeerError):
    """A request was made in ignorance of a newer version; answered 409 with a fault body."""

    def __init__(self, conflicts: Sequence[Conflict]) -> None:
        super().__init__(conflicts)
        self.conflicts = tuple(conflicts)

    def __str__(self) -> str:
        return f"version conflict in {len(self.conflicts)} elements"


@frozen
class Decision:
    """What a request changes, before it is applied.

    Args:
        stored: Rows that are new or replaced.
        removed: Keys of rows that go.
        touched: Every place that the request named, changed or not.
    """

    stored: tuple[Publication, ...]
    removed: tuple[PublicationKey, ...]
    touched: frozenset[Place]

    @property
    def changes(self) -> bool:
        """Whether anything changes at all."""
        return bool(self.stored or self.removed)


class PublicationTable:
    """All publications of one user.

    Args:
        limits: How many there may be and how big.
        rows: What the store remembers.
    """

    def __init__(self, limits: PresenceLimits, rows: Iterable[Publication] = ()) -> None:
        self._limits = limits
        self._rows: dict[PublicationKey, Publication] = {row.key: row for row in rows}

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[Publication]:
        return iter(sorted(self._rows.values(), key=lambda row: row.key))

    def get(self, key: PublicationKey) -> Publication | None:
        """Find a publication."""
        return self._rows.get(key)

    def categories(self, names: Iterable[str]) -> list[Publication]:
        """List the rows of some categories, in all containers, sorted by key."""
        wanted = frozenset(names)
        return [row for row in self if row.key.category in wanted]

    def in_container(self, container: int) -> list[Publication]:
        """List the rows of one container, sorted by key."""
        return [row for row in self if row.key.container == container]

    def decide(self, requests: Sequence[PublicationRequest], owner: str, now: int) -> Decision:
        """Check a request as a whole; nothing is changed yet.

        Args:
            requests: Its elements, in order; no key twice.
            owner: The registration that asks.
            now: Ticks.

        Raises:
            VersionConflict: Some versions are not current; all of those are listed.
            SipRefused: 403 a row that the server made; 413 over a limit.

        Source: docs/spec/presence.md section 1 (version rule, delete) and 7.
        """
        self._check_versions(requests)
        removed = [item.key for item in requests if item.deletes and item.key in self._rows]
        stored = [self._next(item, owner, now) for item in requests if not item.deletes]
        decision = Decision(
            tuple(stored),
            tuple(removed),
            frozenset(Place(item.key.category, item.key.container) for item in requests),
        )
        self._check_size(decision)
        return decision

    def _check_versions(self, requests: Sequence[PublicationRequest]) -> None:
        conflicts = []
        for index, item in enumerate(requests, 1):
            row = self._rows.get(item.key)
            if row is not None and row.owner == SERVER:
                raise SipRefused(403, f"publication {item.key.category} is made by the server")
            current = 0 if row is None else row.version
            # A delete is not checked: clients delete with the version of another container, and a 409
            # would make them send the same again for ever.
            if not item.deletes and item.version != current:
                conflicts.append(Conflict(index, item.version, current))
        if conflicts:
            raise VersionConflict(conflicts)

    def _next(self, item: PublicationRequest, owner: str, now: int) -> Publication:
        timed = item.expire_type is ExpireType.TIME
        return Publication(
            key=item.key,
            version=item.version + 1,
            expire_type=item.expire_type,
            expires_at=now + (item.expires or 0) * TICKS_PER_SECOND if timed else None,
            published_at=now,
            owner=owner if item.expire_type is ExpireType.ENDPOINT else "",
            payload=item.payload,
        )

    def _check_size(self, decision: Decision) -> None:
        if any(len(row.payload) > self._limits.value_bytes for row in decision.stored):
            raise SipRefused(413, "publication is too big")
        if not decision.stored:
            return  # who is over the limit must be able to delete
        after = {row.key: row for row in self._rows.values() if row.owner != SERVER}
        after.update((row.key, row) for row in decision.stored)
        for key in decision.removed:
            after.pop(key, None)
        if len(after) > self._limits.publications:
            raise SipRefused(413, "too many publications")
        if sum(len(row.payload) for row in after.values()) > self._limits.user_bytes:
            raise SipRefused(413, "publications of the user are too big together")

    def apply(self, decision: Decision) -> None:
        """Make a decision true, after it was made durable."""
        for key in decision.removed:
            self._rows.pop(key, None)
        for row in decision.stored:
            self._rows[row.key] = row

    def removal(self, keys: Iterable[PublicationKey]) -> Decision:
        """Decide that rows go, whoever made them."""
        present = tuple(key for key in keys if key in self._rows)
        return Decision((), present, frozenset(Place(key.category, key.container) for key in present))

    def orphaned(self, endpoints: Set[str]) -> Decision:
        """Decide that the rows go whose endpoint is gone, and without any endpoint those of the user.

        Args:
            endpoints: Names of the registrations that the user has.
        """
        return self.removal(
            row.key
            for row in self._rows.values()
            if row.owner != SERVER
            and (
                (row.expire_type is ExpireType.ENDPOINT and row.owner not in endpoints)
                or (row.expire_type is ExpireType.USER and not endpoints)
            )
        )

    def expired(self, now: int) -> Decision:
        """Decide that the timed rows go whose time has come."""
        return self.removal(
            row.key for row in self._rows.values() if row.expires_at is not None and row.expires_at <= now
        )

    def next_expiry(self) -> int | None:
        """Tell when the next timed row ends, in ticks; None if there is none."""
        return min(
            (row.expires_at for row in self._rows.values() if row.expires_at is not None), default=None
        )
