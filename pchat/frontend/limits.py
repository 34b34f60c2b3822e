"""The bounds of the front end: what one user, one connection and one request may cost.

Source: docs/spec/presence.md section 7; docs/spec/sip-sign-in.md section 3.
"""

from __future__ import annotations

from attrs import frozen


@frozen
class PresenceLimits:
    """How much presence a user may keep and a request may carry.

    Args:
        value_bytes: Payload of one publication, in bytes: a contact card with a picture's address is 4 KiB.
        request_bytes: Body of one SERVICE or SUBSCRIBE, in bytes.
        publications: Publications of one user; each followed room is one.
        user_bytes: Payloads of one user together, in bytes: all of it is sent at each sign-in.
        containers: Containers with members of a user; clients know five.
        members: Members of one container.
        waiting: Requests of one user that wait for the store; more means that nobody reads the answers.
        contacts: Contacts that one subscription may watch; reference clients allow 1000.
        categories: Category names in one subscription; clients ask for five.
        subscriptions: Subscription dialogs of one connection; clients open four.
        subscription_seconds: Longest time of a subscription; also when the client names none.
        shortest_subscription: Seconds; shorter wishes are raised, since each renewal sends the full state.
        watchers: Subscriptions that watch one user; more are not told of changes.
        watch_delay: Seconds in which changes of one user are gathered before watchers are told.
    """

    value_bytes: int = 32 * 1024
    request_bytes: int = 256 * 1024
    publications: int = 2000
    user_bytes: int = 4 * 1024 * 1024
    containers: int = 64
    members: int = 1000
    waiting: int = 64
    contacts: int = 1000
    categories: int = 32
    subscriptions: int = 16
    subscription_seconds: int = 28800
    shortest_subscription: int = 60
    watchers: int = 3000
    watch_delay: float = 0.5


@frozen
class RegistrationLimits:
    """How long and how often a user may be registered.

    Args:
        shortest: Seconds; shorter wishes are raised, since each renewal is a signed round trip.
        longest: Seconds; longer wishes are lowered, since a lost endpoint stays on the list that long.
        endpoints: Registrations of one user, lost ones included.
        contact_length: Characters of a Contact URI that is kept.
    """

    shortest: int = 60
    longest: int = 7200
    endpoints: int = 32
    contact_length: int = 1024
