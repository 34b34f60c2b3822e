"""The event vnd-microsoft-roaming-self: a user's own presence, at all of his endpoints.

Source: docs/spec/presence.md section 3.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from pchat.errors import SipRefused
from pchat.frontend.documents import (
    SELF_TYPE,
    own_categories,
    own_containers,
    own_delegates,
    own_subscribers,
    roaming_data,
)
from pchat.frontend.limits import PresenceLimits
from pchat.frontend.presentities import PresenceChange, Presentities, Presentity
from pchat.frontend.publications import Place
from pchat.frontend.reading import read_roaming_list
from pchat.frontend.subscription import Notification, Subscription
from pchat.sip.message import Request
from pchat.sip.uri import address_key

if TYPE_CHECKING:
    from pchat.directory.people import Principal

#: What a client gets that does not say what it wants.
EVERYTHING = frozenset({"categories", "containers", "subscribers", "delegates"})
_EXTENSIONS = ("eventlist",)


def touched_categories(presentity: Presentity, places: Iterable[Place], now: int) -> str:
    """Write the touched categories whole, as clients replace them.

    A client forgets all containers of a category that is named before it reads the new ones, so all
    of them are sent, and a touched place that is empty now is named alone.

    Args:
        presentity: Whose presence it is.
        places: What was touched.
        now: Ticks.

    Source: docs/spec/presence.md section 3 ("Later ones").
    """
    touched = frozenset(places)
    rows = presentity.table.categories(place.category for place in touched)
    empty = touched.difference(row.place for row in rows)
    return own_categories(presentity.user.uri, rows, empty, now)


class SelfPresence:
    """The package of the event; it observes `Presentities`.

    Args:
        presentities: Everybody's presence.
        registration_of: Tells the registration of a connection, '' if it has none.
        limits: Bounds of the request.
    """

    event = "vnd-microsoft-roaming-self"

    def __init__(
        self, presentities: Presentities, registration_of: Callable[[Any], str], limits: PresenceLimits
    ) -> None:
        #: Ends a dialog that a newer one of the same endpoint replaces; set by whoever owns the dialogs.
        self.end: Callable[[Subscription], None] = self.ended
        self._presentities = presentities
        self._registration_of = registration_of
        self._limits = limits
        self._subscribers: dict[int, dict[Any, Subscription]] = {}

    def needs(self, user: Principal) -> bool:
        """Whether somebody is told of a user's presence here."""
        return user.id in self._subscribers

    async def subscribed(self, subscription: Subscription, request: Request, lasting: bool) -> Notification:
        """Tell the full state; a body replaces the list of what is wanted."""
        user = subscription.user
        if address_key(request.to.uri) != user.key:
            raise SipRefused(403, "Roaming data is told to its owner only")
        wanted: frozenset[str] = subscription.state or EVERYTHING
        if request.body:
            wanted = read_roaming_list(request.body, self._limits)
        presentity = await self._presentities.open(user)
        subscription.state = wanted
        if lasting:
            mine = self._subscribers.setdefault(user.id, {})
            older = mine.get(subscription.connection)
            mine[subscription.connection] = subscription
            if older is not None and older is not subscription:
                self.end(older)
        else:
            self._presentities.release(user)
        return Notification(SELF_TYPE, self._full(presentity, wanted), _EXTENSIONS)

    def ended(self, subscription: Subscription) -> None:
        """Forget a dialog."""
        user = subscription.user
        mine = self._subscribers.get(user.id, {})
        if mine.get(subscription.connection) is subscription:
            del mine[subscription.connection]
            if not mine:
                del self._subscribers[user.id]
                self._presentities.release(user)

    def _full(self, presentity: Presentity, wanted: frozenset[str]) -> bytes:
        now = self._presentities.now()
        parts = []
        if "categories" in wanted:
            parts.append(own_categories(presentity.user.uri, presentity.table, (), now))
        if "containers" in wanted:
            parts.append(own_containers(row for row in presentity.containers))
        if "subscribers" in wanted:
            parts.append(own_subscribers())
        if "delegates" in wanted:
            parts.append(own_delegates())
        return roaming_data(*parts)

    def presence_changed(self, change: PresenceChange) -> None:
        """Tell all endpoints of the user but the one that learns it from its answer."""
        presentity = change.presentity
        receivers = [
            subscription
            for connection, subscription in self._subscribers.get(presentity.user.id, {}).items()
            if not change.by or self._registration_of(connection) != change.by
        ]
        if not receivers:
            return
        categories = containers = None
        if change.places:
            written = touched_categories(presentity, change.places, self._presentities.now())
            categories = Notification(SELF_TYPE, roaming_data(written), _EXTENSIONS)
        if change.containers:
            members = own_containers(
                presentity.containers.get(number) for number in sorted(change.containers)
            )
            containers = Notification(SELF_TYPE, roaming_data(members), _EXTENSIONS)
        for subscription in receivers:
            if categories is not None and "categories" in subscription.state:
                subscription.notify(categories)
            if containers is not None and "containers" in subscription.state:
                subscription.notify(containers)
