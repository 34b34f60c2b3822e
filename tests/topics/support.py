"""People who follow rooms and have topic feeds."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from pchat.rooms.room import Room
from pchat.testing.memory import now_or_never
from tests.rooms.service_support import Person, World, local

ROOM_SETTING = (
    '<publish xmlns="http://schemas.microsoft.com/2006/09/sip/rich-presence"><publications uri="{uri}">'
    '<publication categoryName="roomSetting" instance="{number}" container="1" version="{version}" '
    'expireType="{kind}"{rest}</publications></publish>'
)
PAYLOAD = '><r xmlns="urn:x"><p:property xmlns:p="urn:y" name="url">{url}</p:property></r></publication>'


def publish(person: Person, number: int, url: str | None, *, version: int = 0, kind: str = "static") -> int:
    """Publish an instance of roomSetting, or delete it; returns the status of the answer."""
    rest = ' expires="0"/>' if url is None else PAYLOAD.format(url=url)
    body = ROOM_SETTING.format(uri=person.uri, number=number, version=version, kind=kind, rest=rest)
    response = person.ask(
        "SERVICE",
        "Content-Type: application/msrtc-category-publish+xml",
        body=body,
        uri=person.uri,
    )
    return response.status


def follow(person: Person, *rooms: Room) -> None:
    """Follow rooms, as a client says so."""
    for room in rooms:
        assert publish(person, room.id, room.uri) == 200


class TopicCase(SynchronousTestCase):
    """Alice writes in the Lobby; Bob follows it, is not in it, and knows topic feeds."""

    def setUp(self) -> None:
        self.world = World()
        self.store = self.world.store
        self.lobby = self.world.lobby
        self.alice = self.world.person("alice")
        self.bob = self.world.person("bob")
        self.alice.join(self.lobby)
        follow(self.bob, self.lobby)
        self.bob.command("gettopics")

    def hits(self, person: Person) -> list[str]:
        """Take the texts of the messages that somebody was told of since the last call."""
        return [
            str(msg[0].text)
            for one in person.hear()
            if local(one) == "ntc" and one.get("id") == "ntc:topic"
            for data in one
            for chanib in data
            for msg in chanib
            if local(msg) == "msg"
        ]

    def listed(self, person: Person) -> list[str]:
        """Ask for the unread hits; returns the texts."""
        reply = person.command("gettopichits")
        assert reply is not None
        assert reply.code == 200, reply.symbol
        return [str(one[0][0].text) for one in reply.named("chanib")]

    def rows(self, table: str) -> list[tuple[Any, ...]]:
        """Read a table of ours."""

        async def read(txn: Any) -> list[tuple[Any, ...]]:
            rows: list[tuple[Any, ...]] = await txn.query(f"select * from {table} order by 1, 2")
            return rows

        return now_or_never(self.store.read(read))

    def topic(self, person: Person, content: str, attributes: str = 'name="Feed"') -> str:
        """Make or change a feed; returns its GUID."""
        reply = person.command("settopic", f"<topic {attributes}>{content}</topic>")
        assert reply is not None
        assert reply.code == 200, reply.symbol
        return str(reply.named("topic")[0].get("guid"))
