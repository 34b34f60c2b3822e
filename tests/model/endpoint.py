"""One endpoint of a user beside the rules: where it is, and what it may be told."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable

from lxml import etree

from tests.model.rules import Rules
from tests.rooms.service_support import Person, local

#: Notices that tell of what happens in a room, and are for those alone who are in it.
INSIDE_NOTICES = frozenset({"ntc:join", "ntc:bjoin", "ntc:part", "ntc:roles", "ntc:chanmodify"})


class Endpoint:
    """An endpoint, and what the rules say of it.

    Args:
        user: Whose it is.
        connect: Opens a connection for him.
        guids: GUID of each room that there is, by name.
    """

    def __init__(self, user: str, connect: Callable[[str], Person], guids: dict[str, str]) -> None:
        self.user = user
        self.person: Person | None = None
        #: Who is in the rooms where this endpoint is, as far as it was told.
        self.rosters: dict[str, set[str]] = {}
        #: Texts that it must get next, in their order, by room.
        self.owed: list[tuple[str, str]] = []
        self._connect = connect
        self._guids = guids

    @property
    def rooms(self) -> Collection[str]:
        """The rooms where it is."""
        return self.rosters.keys()

    def sign_in(self) -> tuple[int, int]:
        """Sign in and open the chat service; returns the two statuses."""
        person = self._connect(self.user)
        registered = person.register().status
        invited = person.invite().status if registered == 200 else 0
        if invited == 200:
            self.person = person
        else:
            # Signed in without chat; a user may have only so many endpoints.
            person.lose()
        return registered, invited

    def entered(self, room: str, blocks: Iterable[etree._Element]) -> None:
        """Take the users of the answer to a join that succeeded."""
        self.rosters[room] = {_name(block.get("uri", "")) for block in blocks}

    def listen(self, rules: Rules, before: Rules, named: Collection[str]) -> dict[str, str]:
        """Take what came, and see that nothing of it is about a room that is not this user's to know.

        Args:
            rules: The rules as they are now.
            before: The rules as they were when the endpoint was looked at last.
            named: Rooms that the endpoint itself has just asked about.

        Returns:
            The rooms that it was put out of, with the name of the notice.
        """
        assert self.person is not None
        put_out: dict[str, str] = {}
        for element in self.person.hear():
            kind = element.get("id", "")
            for room in self._mentioned(element):
                if local(element) == "grpchat":
                    assert room in self.rooms, f"{self.user} got a message of {room}, where he is not"
                    self._take_message(room, element)
                elif kind in {"ntc:kick", "ntc:chandisable"}:
                    assert room in self.rooms, f"{self.user} was put out of {room} twice"
                    put_out[room] = kind
                    del self.rosters[room]
                elif kind in INSIDE_NOTICES:
                    assert room in self.rooms, f"{self.user} got {kind} of {room}, where he is not"
                    self._take_roster(room, kind, element)
                else:
                    known = any(told.knows(self.user, told.rooms[room]) for told in (rules, before))
                    assert known or room in named, f"{self.user} got {kind} of {room}, which he may not know"
        assert not self.owed, f"{self.user} did not get {self.owed}"
        return put_out

    def _mentioned(self, element: etree._Element) -> list[str]:
        text = etree.tostring(element).decode()
        return [room for room, guid in self._guids.items() if guid in text]

    def _take_message(self, room: str, element: etree._Element) -> None:
        text = str(element[0].text)
        assert self.owed, f"{self.user} got {text} of {room}, which nobody owes him"
        assert self.owed.pop(0) == (room, text), f"{self.user} got {text} of {room} out of turn"

    def _take_roster(self, room: str, kind: str, element: etree._Element) -> None:
        roster = self.rosters[room]
        for block in element.iter("{*}uib"):
            who = _name(block.get("uri", ""))
            if kind == "ntc:part":
                assert who in roster, f"{who} left {room} twice"
                roster.remove(who)
            elif kind in {"ntc:join", "ntc:bjoin"}:
                assert who not in roster, f"{who} came to {room} twice"
                roster.add(who)


def _name(uri: str) -> str:
    return uri.removeprefix("sip:").partition("@")[0]
