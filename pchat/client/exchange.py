"""A synthetic transaction: one user says something in a room, another hears it.

Source: docs/spec/persistent-chat-server.md section 7 (Test-CsPersistentChatMessage).
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable

from attrs import frozen

from pchat.client.endpoint import Endpoint, EndpointFailed, Place


@frozen
class Person:
    """Who takes part: ``user@domain``, and a password if the server asks for one."""

    user: str
    password: str | None


@frozen
class Times:
    """What an exchange took, in seconds.

    Args:
        room: URI of the room.
        sign_in: Until both had signed in and opened the chat service.
        join: Until both had entered the room.
        accepted: From sending the message to the server's promise that it is kept.
        delivered: From sending it until the other had it.
    """

    room: str
    sign_in: float
    join: float
    accepted: float
    delivered: float


def exchange(
    place: Place,
    pool: str,
    people: tuple[Person, Person],
    room: str | None,
    seconds: float,
    clock: Callable[[], float] = time.monotonic,
) -> Times:
    """Let one user send another a message through a room.

    Args:
        place: Where the server is.
        pool: URI of the chat service.
        people: Who says something, and who hears it.
        room: ``ma-chan://domain/guid``; None for the first that is both users' own.
        seconds: How long all of it may take.
        clock: Time in seconds; it only grows.

    Raises:
        EndpointFailed: Something did not happen, or not in time; the text says what, and to whom.
    """
    sender, receiver = people
    began = clock()
    with Endpoint(place, sender.user, seconds, clock) as speaker:
        _enter(speaker, sender, pool)
        with Endpoint(place, receiver.user, seconds, clock) as hearer:
            _enter(hearer, receiver, pool)
            signed_in = clock()
            where = room or _room_of_both(speaker, hearer)
            speaker.join(where)
            hearer.join(where)
            joined = clock()
            text = f"synthetic transaction {secrets.token_hex(8)}"
            speaker.say(where, text)
            accepted = clock()
            hearer.hear(lambda body: f"<chat>{text}</chat>" in body)
            heard = clock()
    return Times(where, signed_in - began, joined - signed_in, accepted - joined, heard - joined)


def _enter(endpoint: Endpoint, person: Person, pool: str) -> None:
    endpoint.sign_in(person.password)
    endpoint.open_chat(pool)


def _room_of_both(speaker: Endpoint, hearer: Endpoint) -> str:
    theirs = hearer.rooms()
    for uri, room in speaker.rooms().items():
        if uri in theirs and room.get("behavior") != "AUDITORIUM":
            return uri
    raise EndpointFailed(f"{speaker.user} and {hearer.user} have no room in common; name one with --room")
