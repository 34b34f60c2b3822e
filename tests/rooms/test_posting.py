"""The way of a post into the store: what the author is told is true, whatever happens meanwhile."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from pchat.rooms.posting import DECISIONS, RTF_FACTOR, STORY_MARK
from pchat.store.messages import NewMessage
from pchat.testing.memory import now_or_never
from tests.rooms.service_support import ACTOR, Person, World


class Case(SynchronousTestCase):
    """Alice and Bob have joined the Lobby."""

    def setUp(self) -> None:
        self.world = World()
        self.store = self.world.store
        self.lobby = self.world.lobby
        self.alice = self.world.person("alice")
        self.bob = self.world.person("bob")
        for person in (self.alice, self.bob):
            person.join(self.lobby)
        self.world.settle(self.alice, self.bob)
        self.alice.hear()
        self.bob.hear()

    def assert_refused(self, person: Person, status: int, text: str, more: str = "") -> None:
        """A post is refused and nobody hears of it."""
        answer = person.post(self.lobby, text, more)
        assert answer is not None
        self.assertEqual(answer.status, status)
        self.assertEqual([len(text) for text in self.alice.chats() + self.bob.chats()], [])

    def posted(self) -> list[str]:
        """Texts that the store keeps."""
        reply = self.bob.history(self.lobby)
        assert reply is not None
        return [str(one[0].text) for room in reply.data for one in room]


class Sizes(Case):
    """What a message may be."""

    def test_empty(self) -> None:
        """A message without text is not posted."""
        self.assert_refused(self.alice, 400, "")

    def test_exactly_the_limit(self) -> None:
        """The limit counts bytes, and the last one that fits does: Ω has two."""
        limit = self.world.parts.base.settings.message_size_limit
        answer = self.alice.post(self.lobby, "Ω" * (limit // 2))
        self.assertEqual(answer and answer.status, 200)
        self.alice.hear()
        self.bob.hear()
        self.assert_refused(self.alice, 413, "Ω" * (limit // 2) + "x" * (limit % 2 + 1))

    def test_stories_are_longer(self) -> None:
        """A text that begins as a story has the story's limit, and also that is one."""
        settings = self.world.parts.base.settings
        long = "x" * (settings.message_size_limit + 1)
        self.assert_refused(self.alice, 413, long)
        answer = self.alice.post(self.lobby, STORY_MARK + long)
        self.assertEqual(answer and answer.status, 200)
        self.bob.hear()
        self.alice.hear()
        self.assert_refused(self.alice, 413, STORY_MARK + "x" * settings.story_size_limit)

    def test_formatting_has_a_limit(self) -> None:
        """The formatted twin of a short text cannot be used to carry anything else."""
        limit = self.world.parts.base.settings.message_size_limit * RTF_FACTOR
        self.assert_refused(self.alice, 413, "short", f"<rtf>{'x' * (limit + 1)}</rtf>")
        answer = self.alice.post(self.lobby, "short", f"<rtf>{'x' * limit}</rtf>")
        self.assertEqual(answer and answer.status, 200)


class Rights(Case):
    """Who may post where."""

    def test_not_joined(self) -> None:
        """A room that one has not joined is as good as one that does not exist."""
        self.world.add_room("Elsewhere")
        room = self.world.add_room("Secret", "secret")
        refused = self.alice.post(room, "hello?")
        missing = self.alice.post("ma-chan://example.com/no-such-room", "hello?")
        nonsense = self.alice.post("no room at all", "hello?")
        assert refused is not None
        assert missing is not None
        assert nonsense is not None
        told = {
            (one.status, one.reason, one.headers.get("Ms-diagnostics"))
            for one in (refused, missing, nonsense)
        }
        self.assertEqual(len(told), 1, told)
        self.assertEqual(refused.status, 403)

    def test_claims_are_not_believed(self) -> None:
        """Author and time that a client writes are replaced by what the server knows."""
        self.alice.post(
            self.lobby, "hello", attributes='author="sip:bob@example.com" ts="1999-01-01T00:00:00Z"'
        )
        [message] = self.bob.hear()
        self.assertEqual(message.get("author"), "sip:alice@example.com")
        self.assertTrue(str(message.get("ts")).startswith("2026-"), message.get("ts"))

    def test_auditorium(self) -> None:
        """In an auditorium everybody listens and only presenters speak."""
        hall = self.world.add_room("Hall", behavior="auditorium")
        self.alice.join(hall)
        answer = self.alice.post(hall, "may I?")
        assert answer is not None
        self.assertEqual(answer.status, 403)
        self.assertIn("ERROR_PERMISSION", answer.reason)


class StoreTroubles(Case):
    """What a post becomes while the store is slow or away."""

    def test_no_promise_before_the_commit(self) -> None:
        """Until the store has it, neither is the author answered nor does anybody read it."""
        self.store.slow = {"append"}
        self.assertIsNone(self.alice.post(self.lobby, "soon"))
        self.assertEqual(self.bob.chats(), [])
        self.assertEqual(self.world.parts.channel.posting.waiting, 1)
        self.store.go()
        self.assertEqual(self.world.parts.channel.posting.waiting, 0)
        self.world.settle(self.alice, self.bob)
        self.assertEqual(self.alice.responses[-1].status, 200)
        self.assertEqual((self.alice.chats(), self.bob.chats()), (["soon"], ["soon"]))

    def test_store_away(self) -> None:
        """A post that cannot be kept is refused for now, and the client is told when to try again."""
        self.store.away = {"append"}
        answer = self.alice.post(self.lobby, "lost")
        assert answer is not None
        self.assertEqual(answer.status, 503)
        self.assertIn("20000", answer.headers.get("Ms-diagnostics", ""))
        self.assertEqual(answer.headers.get("Retry-After"), "2")
        self.assertEqual(self.bob.chats(), [])
        self.store.away.clear()
        self.assertEqual(self.posted(), [])
        again = self.alice.post(self.lobby, "found")
        self.assertEqual(again and again.status, 200)
        self.assertEqual(self.world.parts.channel.posting.waiting, 0)

    def test_pipelined_posts_where_one_fails(self) -> None:
        """Each of several posts under way has its own answer; those kept are read in their order."""
        self.store.slow = {"append"}
        for text in ("one", "two", "three"):
            self.alice.post(self.lobby, text)
        self.assertEqual(self.store.waiting, 3)
        self.store.go()
        self.store.go(failing=True)
        self.store.go()
        self.world.settle(self.alice)
        self.assertEqual([one.status for one in self.alice.responses[-3:]], [200, 503, 200])
        self.assertEqual(self.bob.chats(), ["one", "three"])

    def test_a_command_waits_for_posts(self) -> None:
        """History asked for right behind a post holds that post."""
        self.store.slow = {"append"}
        self.alice.post(self.lobby, "first")
        self.assertIsNone(self.alice.history(self.lobby))
        self.store.go()
        reply = self.alice.reply("bccontext")
        assert reply is not None
        self.assertEqual(reply.data[0][0][0].text, "first")

    def test_author_gone(self) -> None:
        """A post whose author lost his connection while it was committed is read by the others."""
        self.store.slow = {"append"}
        self.alice.post(self.lobby, "last words")
        self.alice.lose()
        self.store.go()
        self.assertEqual(self.bob.chats(), ["last words"])

    def test_dialog_ended_while_a_post_waits_for_its_turn(self) -> None:
        """A post behind a slow command, in a dialog that then ends, is refused for good and not kept."""
        self.store.slow = {"last_messages"}
        self.alice.history(self.lobby)
        self.assertIsNone(self.alice.post(self.lobby, "too late"))
        self.alice.end_dialog()
        statuses = [(one.cseq.method, one.status) for one in self.alice.responses[-2:]]
        self.assertEqual(sorted(statuses), [("BYE", 200), ("INFO", 481)])
        self.store.go()
        self.assertEqual(self.bob.chats(), [])
        self.assertEqual(self.posted_later(), [])
        self.assertEqual(len(self.alice.connection.protocol.server_transactions), 0)

    def posted_later(self) -> list[str]:
        """What the store keeps once it is fast again."""
        self.store.slow.clear()
        return self.posted()

    def test_stopping(self) -> None:
        """A server about to stop takes no new post but tells the fate of those under way."""
        self.store.slow = {"append"}
        self.alice.post(self.lobby, "in time")
        self.world.parts.refuse_new()
        late = self.bob.post(self.lobby, "late")
        assert late is not None
        self.assertEqual((late.status, late.headers.get("Retry-After")), (503, "10"))
        self.store.go()
        self.world.settle(self.alice)
        self.assertEqual(self.alice.responses[-1].status, 200)

    def test_a_broken_delivery_takes_nothing_back(self) -> None:
        """Whatever goes wrong behind the commit, the author has his 200 and history has the message."""

        def broken(*_: object) -> None:
            raise ZeroDivisionError

        self.patch(self.world.parts.channel.feeds, "of", broken)
        answer = self.alice.post(self.lobby, "kept")
        self.assertEqual(answer and answer.status, 200)
        self.assertEqual(self.posted(), ["kept"])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_a_bug_in_the_store_is_500(self) -> None:
        """An unforeseen error refuses the post and does not stop the ones behind it."""

        def broken(messages: list[NewMessage]) -> None:
            raise ZeroDivisionError

        self.patch(self.store, "append", broken)
        answer = self.alice.post(self.lobby, "one")
        self.assertEqual(answer and answer.status, 500)
        del self.store.append
        self.flushLoggedErrors(ZeroDivisionError)
        answer = self.alice.post(self.lobby, "two")
        self.assertEqual(answer and answer.status, 200)


class RightsMoveOn(Case):
    """A change of rights that was committed before a post wins over it."""

    def test_right_removed_before_the_commit(self) -> None:
        """Somebody is removed while his post waits for the store: it is refused, and nobody reads it."""
        ops = self.world.add_room("Ops", "closed", ["alice", "bob"])
        for person in (self.alice, self.bob):
            person.join(ops)
        self.world.settle(self.alice, self.bob)
        self.bob.hear()
        self.store.slow = {"append"}
        self.alice.post(ops, "secret")
        self.world.remove_member("Ops", "alice")
        self.store.go()
        self.world.settle(self.alice)
        self.assertEqual(self.alice.responses[-1].status, 403)
        self.assertEqual(self.bob.chats(), [])
        self.store.slow.clear()
        reply = self.bob.history(ops)
        assert reply is not None
        self.assertEqual([len(room) for room in reply.data], [0])

    def test_room_disabled_before_the_commit(self) -> None:
        """A post to a room that is disabled meanwhile is refused."""
        self.store.slow = {"append"}
        self.alice.post(self.lobby, "hello")
        now_or_never(self.world.administration.rooms.disable_room(ACTOR, "Lobby"))
        self.store.go()
        self.world.settle(self.alice)
        self.assertEqual(self.alice.responses[-1].status, 403)

    def test_unrelated_change(self) -> None:
        """A change that does not concern the author delays his post by one more decision, no more."""
        self.store.slow = {"append"}
        self.alice.post(self.lobby, "hello")
        self.world.add_room("Another")
        self.store.go()
        self.assertEqual(self.store.waiting, 1)
        self.store.go()
        self.world.settle(self.alice)
        self.assertEqual(self.alice.responses[-1].status, 200)
        self.assertEqual(self.bob.chats(), ["hello"])

    def test_rights_that_never_rest(self) -> None:
        """After five decisions that were all overtaken, the author is asked to come again."""
        self.store.slow = {"append"}
        self.alice.post(self.lobby, "hello")
        for number in range(DECISIONS):
            self.assertEqual(self.store.waiting, 1)
            self.world.add_room(f"Room {number}")
            self.store.go()
        self.assertEqual(self.store.waiting, 0)
        self.world.settle(self.alice)
        answer = self.alice.responses[-1]
        self.assertEqual((answer.status, answer.headers.get("Retry-After")), (503, "1"))
        self.assertEqual(self.bob.chats(), [])

    def test_dialog_ended_while_decided_anew(self) -> None:
        """The author left while rights moved on: his post is not kept, since he is in the room no more."""
        self.store.slow = {"append"}
        self.alice.post(self.lobby, "hello")
        self.world.add_room("Another")
        self.alice.end_dialog()
        self.store.go()
        self.assertEqual(self.store.waiting, 0)
        self.world.settle(self.alice)
        self.assertEqual(sorted(one.status for one in self.alice.responses[-2:]), [200, 403])
        self.assertEqual(self.bob.chats(), [])

    def test_store_away_while_decided_anew(self) -> None:
        """The store fails at the second decision: the author is told so, once, and nothing waits."""
        self.store.slow = {"append"}
        self.alice.post(self.lobby, "hello")
        self.world.add_room("Another")
        self.store.go()
        self.store.go(failing=True)
        self.world.settle(self.alice)
        self.assertEqual(self.alice.responses[-1].status, 503)
        self.assertEqual(self.world.parts.channel.posting.waiting, 0)
