"""One user who asks for as much as he can, from many places at once: the others are served beside him."""

from __future__ import annotations

import base64
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from pchat.rooms import search
from pchat.rooms.command_turns import COMMANDS_AT_ONCE
from pchat.store import fts5, transaction
from pchat.store import search as history_search
from pchat.topics.matching import Filter, FilterIndex
from tests.rooms.service_support import Person, World, document
from tests.security.test_exhaustion import seconds_of

EVERYTHING = '<qib qtype="BYNAME" criteria="{}" matchall="true" extended="true"/>'


class FairnessTestCase(SynchronousTestCase):
    """Mallory, who is in the room Lobby like everybody, and Bob, who wants to work."""

    def setUp(self) -> None:
        self.world = World()
        self.addCleanup(self.world.server.stop)
        self.lobby = self.world.lobby
        self.bob = self.world.person("bob")
        self.mallory = self.world.person("mallory")

    def send(self, person: Person, commands: str) -> None:
        """Let the server receive an envelope, and do what it does at once, in this turn of the reactor."""
        body = document(commands)
        person.connection.send(person.write("INFO", "Content-Type: text/plain", body=body, to=person.inside))

    def calls(self, owner: Any, name: str) -> list[object]:
        """Count the calls of a method from now on."""
        seen: list[object] = []
        original = getattr(owner, name)

        def counted(*args: object) -> object:
            seen.append(args)
            return original(*args)

        self.patch(owner, name, counted)
        return seen


class Turns(FairnessTestCase):
    """Commands of one user that would keep the server from all others."""

    def test_full_envelopes(self) -> None:
        """Thirty-two searches of all rooms in one INFO, ten times: four of them are done in one turn."""
        searched = self.calls(self.world.parts.base.tree, "rooms_by_name")
        one = f'<cmd id="cmd:chansrch" seqid="1"><data>{EVERYTHING.format("a b c")}</data></cmd>'
        for _ in range(10):
            self.send(self.mallory, one * 32)
        self.assertEqual(len(searched), COMMANDS_AT_ONCE)
        self.send(self.bob, one)
        self.assertEqual(len(searched), COMMANDS_AT_ONCE + 1)
        self.world.settle(self.mallory, self.bob)
        self.assertEqual(len(searched), 321)
        self.assertEqual(len([one for one in self.mallory.hear() if one.get("id") == "rpl:chansrch"]), 320)

    def test_many_dialogs(self) -> None:
        """Twenty endpoints mark a room at once: the store is asked for four of them, and then for Bob."""
        mark = f'<chanib uri="{self.lobby.uri}"><read chatid="0"/></chanib>'
        endpoints = [self.mallory, *(self.world.person("mallory") for _ in range(19))]
        self.world.store.slow = {"set_markers"}
        for endpoint in endpoints:
            self.send(endpoint, f'<cmd id="cmd:setread" seqid="1"><data>{mark}</data></cmd>')
        self.assertEqual(self.world.store.waiting, COMMANDS_AT_ONCE)
        self.send(self.bob, f'<cmd id="cmd:setread" seqid="1"><data>{mark}</data></cmd>')
        self.assertEqual(self.world.store.waiting, COMMANDS_AT_ONCE + 1)
        while self.world.store.waiting:
            self.world.store.go()
            self.world.clock.advance(0)
        self.world.settle(self.bob, *endpoints)
        for endpoint in (self.bob, *endpoints):
            reply = endpoint.reply("setread")
            assert reply is not None
            self.assertEqual(reply.code, 200)

    def test_many_searches(self) -> None:
        """Who searches from four endpoints has one place in the line: Bob comes second, not fifth."""
        endpoints = [self.mallory, *(self.world.person("mallory") for _ in range(3))]
        self.world.store.slow = {"find_messages"}
        find = f'<cmd id="cmd:bcbydate" seqid="1"><data><chanib uri="{self.lobby.uri}"/></data></cmd>'
        for person in (*endpoints, self.bob):
            self.send(person, find)
        answered = []
        while self.world.store.waiting:
            self.world.store.go()
            answered += [person.name for person in (self.bob, *endpoints) if person.reply("bcbydate")]
        self.assertEqual(answered, ["mallory", "bob", "mallory", "mallory", "mallory"])

    def test_gone_while_waiting(self) -> None:
        """Endpoints that hang up before their turn leave nothing behind, and their commands are not run."""
        endpoints = [self.world.person("mallory") for _ in range(8)]
        turns = self.world.parts.channel.service._turns
        self.world.clock.advance(0)
        self.world.store.slow = {"preference"}
        for endpoint in endpoints:
            self.send(endpoint, '<cmd id="cmd:getpref" seqid="1"><data><pref label="a"/></data></cmd>')
        for endpoint in endpoints:
            endpoint.lose()
        self.assertEqual(len(turns), 1)
        asked = 0
        while self.world.store.waiting:
            asked += 1
            self.world.store.go()
            self.world.clock.advance(0)
        self.assertEqual((asked, len(turns)), (COMMANDS_AT_ONCE, 0))

    def test_posts_do_not_wait(self) -> None:
        """What Mallory's own searches keep busy is not her posts, let alone those of others."""
        self.bob.join(self.lobby)
        self.mallory.join(self.lobby)
        other = self.world.person("mallory")
        other.join(self.lobby)
        self.world.store.slow = {"preference"}
        for _ in range(10):
            self.send(self.mallory, '<cmd id="cmd:getpref" seqid="1"><data><pref label="a"/></data></cmd>')
        for person in (self.bob, other):
            answer = person.post(self.lobby, "hello")
            assert answer is not None
            self.assertEqual(answer.status, 200)


class Memory(FairnessTestCase):
    """Commands that wait for a slow store."""

    def test_large_commands(self) -> None:
        """They are counted in bytes: a quarter of a megabyte stops the reading long before sixty-four do."""
        self.world.store.slow = {"set_preference"}
        content = base64.b64encode(bytes(48_000)).decode()
        transport: Any = self.mallory.connection.transport
        large = f'<cmd id="cmd:setpref" seqid="1"><data><pref label="a" content="{content}"/></data></cmd>'
        sent = 0
        while transport.producerState == "producing" and sent < 64:
            self.send(self.mallory, large)
            sent += 1
        self.assertEqual(sent, 6)
        while self.world.store.waiting:
            self.world.store.go()
            self.world.clock.advance(0)
        self.assertEqual(transport.producerState, "producing")

    def test_large_envelopes(self) -> None:
        """Thirty-two small commands in a large document keep the document as long as the last of them."""
        self.world.store.slow = {"preference"}
        small = '<cmd id="cmd:getpref" seqid="1"><data><pref label="a"/></data></cmd>'
        self.send(self.mallory, f"{small * 32}<x>{'y' * 100_000}</x>")
        self.assertEqual(self.mallory.connection.transport.producerState, "paused")


class LongSearches(FairnessTestCase):
    """Searches that go through much."""

    def test_rooms_piece_by_piece(self) -> None:
        """A search of rooms lets others in after each piece; who loses a room meanwhile is not told of it."""
        self.patch(search, "SLICE", 2)
        for name in ("A secret", "B", "C", "D", "E"):
            privacy = "secret" if name == "A secret" else "open"
            self.world.add_room(name, privacy, members=["mallory"] if privacy == "secret" else [])
        self.send(
            self.mallory, f'<cmd id="cmd:chansrch" seqid="1"><data>{EVERYTHING.format("")}</data></cmd>'
        )
        self.world.remove_member("A secret", "mallory")
        reply = self.mallory.reply("chansrch")
        assert reply is not None
        self.assertEqual([room.get("name") for room in reply.data], ["B", "C", "D", "E", "Lobby"])

    def test_case_matters(self) -> None:
        """A word in the wrong case is looked for in a bounded amount of text, and the answer says so."""
        self.patch(history_search, "LOOKS_CHARACTERS", 10_000)
        self.patch(history_search, "STEP_OF_TEXTS", 3)
        self.mallory.join(self.lobby)
        for _ in range(30):
            self.mallory.post(self.lobby, "needle " + "hay " * 300)
        looked = self.calls(history_search, "matches")
        reply = self.bob.command(
            "bcbydate", f'<chanib uri="{self.lobby.uri}"/><bcq><text matchcase="true">NEEDLE</text></bcq>'
        )
        assert reply is not None
        self.assertEqual((reply.code, reply.data[0].get("exceeded")), (200, "true"))
        self.assertEqual(len(looked), 9)

    def test_many_steps(self) -> None:
        """A search that has taken its time begins no further step, and the answer says so."""
        self.patch(history_search, "SECONDS", -1.0)
        self.patch(history_search, "STEP_OF_TEXTS", 3)
        self.mallory.join(self.lobby)
        for _ in range(9):
            self.mallory.post(self.lobby, "needle")
        looked = self.calls(history_search, "matches")
        reply = self.bob.command(
            "bcbydate", f'<chanib uri="{self.lobby.uri}"/><bcq><text matchcase="true">NEEDLE</text></bcq>'
        )
        assert reply is not None
        self.assertEqual((reply.code, reply.data[0].get("exceeded"), len(looked)), (200, "true", 3))

    def test_words_that_keep_the_index_busy(self) -> None:
        """A search that takes too long is interrupted; the answer tells that there may be more."""
        self.mallory.join(self.lobby)
        self.mallory.post(self.lobby, "alpha beta")
        # Whatever the index is asked, it is never done.
        self.patch(transaction, "WORDS_SECONDS", 0.05)
        marks = ", ".join(["%s"] * 5)
        endless = "with recursive n (i) as (select 1 union all select i + 1 from n) select count(*) from n"
        self.patch(fts5, "hits_statement", lambda *_, **__: (f"{endless} where i in ({marks})", ["1"]))
        data = (
            f'<chanib uri="{self.lobby.uri}"/><bcq><text matchall="false">alpha/alpha beta/beta</text></bcq>'
        )
        reply = self.bob.command("bcbydate", data)
        assert reply is not None
        [room] = reply.data
        self.assertEqual(
            (reply.code, room.get("exceeded"), room.get("total"), len(room)), (200, "true", "0", 0)
        )
        reply = self.bob.history(self.lobby)
        assert reply is not None
        self.assertEqual(reply.data[0][0][0].text, "alpha beta")

    def test_feeds_of_a_thousand_phrases(self) -> None:
        """Twenty feeds of fifty phrases that begin as a long story does cost it next to nothing."""
        index = FilterIndex()
        for user in range(5):
            phrases = [f"alpha beta u{user}w{number}" for number in range(1_000)]
            feeds = [Filter(f"f{n}", tuple(phrases[n * 50 : n * 50 + 50]), ()) for n in range(19)]
            index.set_filters(user, [*feeds, Filter("last", ("gamma",), ())])
        story = "gamma " + "alpha beta " * 6_000
        caught: dict[int, tuple[str, ...]] = {}
        spent = seconds_of(lambda: caught.update(index.caught(9, story, lambda _: True)))
        self.assertEqual(caught, dict.fromkeys(range(5), ("last",)))
        self.assertLess(spent, 0.2)
