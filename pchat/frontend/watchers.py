"""The event presence: contacts that a user watches.

Changes of one user are gathered for a moment, then each watcher is sent the categories that look
different to him. What a container's members saw last is kept once a container, not once a watcher.

Source: docs/spec/presence.md section 5.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING

from attrs import define, field
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from pchat.directory.people import PrincipalKind, PrincipalState
from pchat.errors import SipRefused
from pchat.frontend.containers import BLOCKED
from pchat.frontend.documents import CATEGORIES_TYPE, resource_list, watched_categories
from pchat.frontend.limits import PresenceLimits
from pchat.frontend.presentities import PresenceChange, Presentities, Presentity
from pchat.frontend.reading import BatchSubscribe, contact_key, read_batch
from pchat.frontend.subscription import Notification, Subscription
from pchat.frontend.visibility import UNKNOWN, USUAL_CATEGORIES, View, view_of
from pchat.interfaces import Random
from pchat.sip.message import Request

if TYPE_CHECKING:
    from pchat.directory.local import LocalDirectory
    from pchat.directory.people import Principal

#: Watchers told in one reactor turn; the rest get the next one, so that chat is not held up.
WATCHERS_A_TURN = 100
_EXTENSIONS = ("eventlist",)


@define(eq=False)
class Watch:
    """One contact of a subscription.

    Args:
        uri: As the client wrote it.
        contact: Who that is; None if there is no such user.
        container: Which container of the contact the watcher saw last; None if nothing yet.
    """

    uri: str
    contact: Principal | None
    container: int | None = None


@define(eq=False)
class WatchList:
    """What a subscription watches.

    Args:
        uri: Name of the list.
        categories: Names of the categories wanted.
        watches: By folded URI.
    """

    uri: str
    categories: tuple[str, ...] = USUAL_CATEGORIES
    watches: dict[str, Watch] = field(factory=dict)


@define(eq=False)
class _Watched:
    """Who watches one user, and what the members of each of his containers saw last."""

    user: Principal
    subscriptions: dict[Subscription, Watch] = field(factory=dict)
    views: dict[int, View] = field(factory=dict)


class Watchers:
    """The package of the event; it observes `Presentities`.

    Args:
        presentities: Everybody's presence.
        directory: Tells who a contact is.
        clock: Runs the timer of gathered changes.
        random: Makes boundaries.
        limits: How much may be watched.
    """

    event = "presence"

    def __init__(
        self,
        presentities: Presentities,
        directory: LocalDirectory,
        clock: IReactorTime,
        random: Random,
        limits: PresenceLimits,
    ) -> None:
        self._presentities = presentities
        self._directory = directory
        self._clock = clock
        self._random = random
        self._limits = limits
        self._watched: dict[int, _Watched] = {}
        self._dirty: dict[int, None] = {}
        self._timer: IDelayedCall | None = None
        self._telling = self._tell_all()

    def needs(self, user: Principal) -> bool:
        """Whether anybody watches a user."""
        return user.id in self._watched

    def stop(self) -> None:
        """Stop the timer; gathered changes are not told any more."""
        self._dirty.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # -- subscribing

    async def subscribed(self, subscription: Subscription, request: Request, lasting: bool) -> Notification:
        """Watch more contacts, or fewer; tell the state of those that are named, or of all."""
        listing: WatchList = subscription.state or WatchList(request.from_.uri)
        named = self._take(listing, request, first=subscription.state is None)
        for key in named.removed:
            self._unwatch(subscription, listing, contact_key(key))
        subscription.state = listing
        parts: list[tuple[str, bytes]] = []
        for uri in named.added or [watch.uri for watch in listing.watches.values()]:
            view = await self._watch(subscription, listing, uri)
            parts.append((uri, _document(uri, view, listing.categories)))
        if not lasting:
            self.ended(subscription)
        kind, body = resource_list(listing.uri, parts, self._random(16).hex())
        return Notification(kind, body, _EXTENSIONS)

    def _take(self, listing: WatchList, request: Request, first: bool) -> BatchSubscribe:
        """Read what a request asks for; without a body it is the list as it is, or the one in To."""
        if not request.body:
            return BatchSubscribe(listing.uri, (request.to.uri,) if first else (), (), ())
        batch = read_batch(request.body, self._limits)
        removed = {contact_key(uri) for uri in batch.removed}
        after = (listing.watches.keys() - removed) | {contact_key(uri) for uri in batch.added}
        if len(after) > self._limits.contacts:
            raise SipRefused(413, "subscription watches too many")
        listing.uri = batch.uri or listing.uri
        listing.categories = batch.categories or listing.categories
        return batch

    async def _watch(self, subscription: Subscription, listing: WatchList, uri: str) -> View:
        contact = self._directory.by_uri(uri)
        watch = Watch(uri, contact)
        listing.watches[contact_key(uri)] = watch
        if contact is None or not _has_presence(contact):
            watch.contact = None
            return UNKNOWN
        watched = self._watched.setdefault(contact.id, _Watched(contact))
        presentity = await self._presentities.open(contact)
        container = _container_of(presentity, subscription)
        if not subscription.connection.connected or listing.watches.get(contact_key(uri)) is not watch:
            return UNKNOWN  # ended while the store was read
        watch.container = container
        watched = self._watched.setdefault(contact.id, watched)
        if len(watched.subscriptions) < self._limits.watchers:
            watched.subscriptions[subscription] = watch
        # What was seen before stays as it is until watchers are told, else they would never be.
        watched.views.setdefault(container, view_of(presentity, container))
        return view_of(presentity, container)

    def _unwatch(self, subscription: Subscription, listing: WatchList, key: str) -> None:
        watch = listing.watches.pop(key, None)
        if watch is None or watch.contact is None:
            return
        watched = self._watched.get(watch.contact.id)
        if watched is None:
            return
        watched.subscriptions.pop(subscription, None)
        if not watched.subscriptions:
            del self._watched[watch.contact.id]
            self._presentities.release(watch.contact)

    def ended(self, subscription: Subscription) -> None:
        """Forget a dialog and what it watched."""
        listing: WatchList | None = subscription.state
        if listing is not None:
            for key in list(listing.watches):
                self._unwatch(subscription, listing, key)

    # -- telling

    def presence_changed(self, change: PresenceChange) -> None:
        """Note that watchers of a user have to be told."""
        self._note(change.presentity.user)

    def user_changed(self, user: Principal) -> None:
        """Note that a user's name or address changed, or that he may no longer be seen."""
        self._note(user)

    def _note(self, user: Principal) -> None:
        if user.id in self._watched:
            self._dirty[user.id] = None
            if self._timer is None:
                self._timer = self._clock.callLater(self._limits.watch_delay, self._flush)

    def _flush(self) -> None:
        self._timer = None
        told = sum(1 for _ in islice(self._telling, WATCHERS_A_TURN))
        if told == WATCHERS_A_TURN:
            self._timer = self._clock.callLater(0, self._flush)
        else:
            self._telling = self._tell_all()

    def _tell_all(self) -> Iterator[None]:
        """Tell the watchers of all users noted, one a step; users noted meanwhile too."""
        while self._dirty:
            user_id = next(iter(self._dirty))
            del self._dirty[user_id]
            watched = self._watched.get(user_id)
            presentity = self._presentities.get(watched.user) if watched is not None else None
            if watched is not None and presentity is not None:
                yield from self._tell(watched, presentity)

    def _tell(self, watched: _Watched, presentity: Presentity) -> Iterator[None]:
        seen, watched.views = watched.views, {}
        for subscription, watch in list(watched.subscriptions.items()):
            if subscription not in watched.subscriptions:
                continue  # ended since
            container = _container_of(presentity, subscription)
            if container not in watched.views:
                watched.views[container] = view_of(presentity, container)
            view = watched.views[container]
            wanted: tuple[str, ...] = subscription.state.categories
            if container == watch.container:
                before = seen.get(container, UNKNOWN)
                wanted = tuple(name for name in wanted if before.get(name) != view.get(name))
            watch.container = container
            if wanted:
                body = _document(watch.uri, view, wanted)
                subscription.notify(Notification(CATEGORIES_TYPE, body, _EXTENSIONS))
            yield


def _has_presence(user: Principal) -> bool:
    """Whether a principal is a user who may sign in."""
    return user.kind is PrincipalKind.USER and user.state is PrincipalState.ACTIVE


def _container_of(presentity: Presentity, subscription: Subscription) -> int:
    if not _has_presence(presentity.user):
        return BLOCKED  # watched before the account was disabled: from now on simply not there
    return presentity.containers.of_watcher(subscription.user.key.removeprefix("sip:"))


def _document(uri: str, view: View, names: Iterable[str]) -> bytes:
    """Write categories for a watcher; the state of somebody unknown is not named at all."""
    shown = [(name, view.get(name, ())) for name in names if view.get(name) or name != "state"]
    return watched_categories(uri, shown)
