"""From a post to those whose feeds catch it: rights, moments, and what is kept."""

from __future__ import annotations

from unittest import mock

from pchat.frontend import room_setting
from pchat.frontend.room_setting import follow_all_published
from pchat.interfaces import ITransaction
from pchat.store import topics
from pchat.testing.memory import now_or_never
from pchat.topics import hits
from tests.rooms.service_support import ACTOR, local
from tests.topics.support import TopicCase, follow, publish


class Moments(TopicCase):
    """A post takes its time into the store, and the world changes meanwhile."""

    def setUp(self) -> None:
        super().setUp()
        self.ops = self.world.add_room("Ops", "closed", members=["alice", "bob"])
        self.alice.join(self.ops)
        follow(self.bob, self.ops)
        self.store.slow = {"append"}
        self.alice.post(self.ops, "Bob must see")

    def test_nothing_before_the_commit(self) -> None:
        """Nobody is told of a message that is not kept yet."""
        self.assertEqual(self.hits(self.bob), [])
        self.store.go()
        self.assertEqual(self.hits(self.bob), ["Bob must see"])

    def test_not_kept(self) -> None:
        """A message that the store refuses is no hit."""
        self.store.go(failing=True)
        self.assertEqual(self.hits(self.bob), [])
        self.assertEqual(self.rows("topic_hits"), [])

    def test_kick_wins(self) -> None:
        """Who loses his right before the commit is neither told nor listed: the post is decided anew."""
        self.world.remove_member("Ops", "bob")
        self.store.go()  # refused as stale, and offered again
        self.store.go()
        self.alice.hear()
        self.assertEqual(self.hits(self.bob), [])
        self.assertEqual(self.rows("topic_hits"), [])

    def test_kick_after_the_commit(self) -> None:
        """A right that goes between commit and delivery is asked for once more."""
        access = self.world.parts.base.access
        with mock.patch.object(access, "refusal_to_read_history", return_value="gone"):
            self.store.go()
        self.assertEqual(self.hits(self.bob), [])

    def test_joined_meanwhile(self) -> None:
        """Who joins before the commit gets the message itself, once."""
        self.bob.join(self.ops)
        self.store.go()
        names = [one.get("id") for one in self.bob.hear()]
        self.assertEqual([name for name in names if name in {"grpchat", "ntc:topic"}], ["grpchat"])

    def test_room_removed_meanwhile(self) -> None:
        """A room that goes takes its hits along."""
        now_or_never(self.world.administration.rooms.remove_room(ACTOR, "Ops"))
        self.store.go()
        self.assertEqual(self.hits(self.bob), [])
        self.assertEqual(self.rows("topic_hits"), [])


class Endpoints(TopicCase):
    """A user with several endpoints."""

    def test_all_that_know(self) -> None:
        """Every endpoint that asked for feeds is told, others are not."""
        other, old = self.world.person("bob"), self.world.person("bob")
        other.command("gettopichits")
        self.alice.post(self.lobby, "Bob?")
        self.assertEqual([self.hits(one) for one in (self.bob, other, old)], [["Bob?"], ["Bob?"], []])

    def test_one_is_in_the_room(self) -> None:
        """Who is in the room with one endpoint reads the message there."""
        other = self.world.person("bob")
        other.join(self.lobby)
        self.alice.post(self.lobby, "Bob?")
        self.assertEqual(self.hits(self.bob), [])
        self.assertEqual(self.listed(self.bob), [])
        other.part(self.lobby)
        self.alice.post(self.lobby, "Bob!")
        self.assertEqual(self.hits(self.bob), ["Bob!"])

    def test_trouble_of_one(self) -> None:
        """A notice that cannot be sent costs that endpoint its connection, and nobody else anything."""
        other = self.world.person("bob")
        other.command("gettopics")
        with mock.patch.object(type(self.bob.session), "send", side_effect=[OSError("away"), None]) as send:
            self.alice.post(self.lobby, "Bob?")
        self.assertEqual(send.call_count, 2)
        self.assertTrue(self.bob.connection.transport.aborted)
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)


class Followed(TopicCase):
    """Which rooms somebody follows, from what his clients publish."""

    def test_strange_payloads(self) -> None:
        """What names no room of ours is followed by nobody, and refused to nobody."""
        for number, url in enumerate(("", "no room", "ma-chan://example.com/nothing", "&#x1F600;"), 100):
            self.assertEqual(publish(self.bob, number, url), 200)
        self.assertEqual(len(self.rows("followed_rooms")), 1)

    def test_two_instances_of_one_room(self) -> None:
        """A room is followed as long as one instance names it, in any case."""
        self.assertEqual(publish(self.bob, 100, self.lobby.uri.upper().replace("MA-CHAN", "ma-chan")), 200)
        self.assertEqual(publish(self.bob, self.lobby.id, None), 200)
        self.alice.post(self.lobby, "Bob 1")
        self.assertEqual(publish(self.bob, 100, None), 200)
        self.alice.post(self.lobby, "Bob 2")
        self.assertEqual(self.hits(self.bob), ["Bob 1"])
        self.assertEqual(self.rows("followed_rooms"), [])

    def test_only_what_lasts(self) -> None:
        """An instance that ends with its endpoint says nothing about the time after."""
        other = self.world.add_room("Other")
        self.assertEqual(publish(self.bob, other.id, other.uri, kind="endpoint"), 200)
        self.assertEqual(len(self.rows("followed_rooms")), 1)

    def test_changed_instance(self) -> None:
        """An instance that names another room now."""
        other = self.world.add_room("Other")
        self.assertEqual(publish(self.bob, self.lobby.id, other.uri, version=1), 200)
        self.alice.post(self.lobby, "Bob")
        self.assertEqual(self.hits(self.bob), [])
        self.assertEqual([room for _, room in self.rows("followed_rooms")], [other.id])

    def test_a_payload_is_read_once(self) -> None:
        """What a user published before is not read again when he publishes more."""
        other = self.world.add_room("Other")
        with mock.patch.object(room_setting, "followed_guid", wraps=room_setting.followed_guid) as read:
            follow(self.bob, other)
        self.assertEqual(read.call_count, 1)
        self.assertEqual([room for _, room in self.rows("followed_rooms")], [self.lobby.id, other.id])

    def test_older_publications(self) -> None:
        """Publications that are older than the table of followed rooms are looked at once."""

        async def forget(txn: ITransaction) -> None:
            await txn.run("delete from followed_rooms")
            await txn.run("update publications set room_guid = null")

        before = self.rows("followed_rooms")
        now_or_never(self.store.write(forget))
        now_or_never(self.store.write(follow_all_published))
        self.assertEqual(self.rows("followed_rooms"), before)

    def test_read_anew(self) -> None:
        """After a commit whose outcome was unknown, what the store holds counts at the next sign-in."""
        feeds = self.world.parts.channel.topics.feeds
        feeds.followed(self.bob.session.user.id, [])
        presentity = self.world.parts.front_end.presentities.get(self.bob.session.user)
        assert presentity is not None
        presentity.stale = True
        self.assertEqual(publish(self.bob, 100, "no room"), 200)
        self.assertTrue(feeds.anybody_follows(self.lobby))

    def test_store_away(self) -> None:
        """A publication that cannot be kept changes nothing that is followed."""
        other = self.world.add_room("Other")
        self.store.away = {"_save"}
        self.assertEqual(publish(self.bob, other.id, other.uri), 503)
        self.store.away = set()
        self.assertEqual(len(self.rows("followed_rooms")), 1)


class Changes(TopicCase):
    """Users and rooms change."""

    def test_renamed(self) -> None:
        """The ego feed follows its owner to his new name, and knows his address still."""
        people = self.world.administration.people
        now_or_never(people.change_user(ACTOR, "sip:bob@example.com", display_name="Robert Smith"))
        for text in ("Robert?", "a Robert  Smith?", "bob?"):
            self.alice.post(self.lobby, text)
        self.assertEqual(self.hits(self.bob), ["a Robert  Smith?", "bob?"])

    def test_disabled(self) -> None:
        """Nothing is caught for a disabled user; enabled again he has his feeds."""
        people = self.world.administration.people
        now_or_never(people.disable_user(ACTOR, "sip:bob@example.com"))
        self.alice.post(self.lobby, "Bob 1")
        now_or_never(people.enable_user(ACTOR, "sip:bob@example.com"))
        self.alice.post(self.lobby, "Bob 2")
        bob = self.world.person("bob")
        self.assertEqual(self.listed(bob), ["Bob 2"])

    def test_removed(self) -> None:
        """With a user goes all that was kept for him; another one of his name begins with nothing."""
        self.topic(self.bob, "<word>tea</word>")
        self.alice.post(self.lobby, "Bob, tea?")
        now_or_never(self.world.administration.people.remove_user(ACTOR, "sip:bob@example.com"))
        for table in ("followed_rooms", "topic_feeds", "topic_hits"):
            self.assertEqual(self.rows(table), [], table)
        bob = self.world.person("bob")
        self.alice.post(self.lobby, "Bob, tea!")
        self.assertEqual(self.listed(bob), [])
        topics = bob.command("gettopics")
        assert topics is not None
        self.assertEqual([one.get("guid") for one in topics.named("topic")], ["ego"])

    def test_author_removed(self) -> None:
        """A feed of somebody who was removed stays, and shows him no longer."""
        self.world.add_user("carol")
        self.topic(self.bob, '<word>tea</word><uib uri="sip:carol@example.com"/>')
        now_or_never(self.world.administration.people.remove_user(ACTOR, "sip:carol@example.com"))
        reply = self.bob.command("gettopics")
        assert reply is not None
        self.assertEqual([child.tag.rpartition("}")[2] for child in reply.named("topic")[1]], ["word"])

    def test_deleted_feed(self) -> None:
        """With a feed goes what only it had caught."""
        guid = self.topic(self.bob, "<word>tea</word>")
        self.alice.post(self.lobby, "tea")
        self.alice.post(self.lobby, "tea, Bob")
        self.assertEqual(self.listed(self.bob), ["tea, Bob", "tea"])
        self.bob.command("deltopic", f'<topic guid="{guid}"/>')
        self.assertEqual(self.listed(self.bob), ["tea, Bob"])

    def test_removed_message(self) -> None:
        """A message that is gone is not listed."""
        self.alice.post(self.lobby, "Bob 1")
        self.alice.post(self.lobby, "Bob 2")

        async def remove(txn: ITransaction) -> None:
            await txn.run("delete from messages where chat_id = 1")

        now_or_never(self.store.write(remove))
        self.assertEqual(self.listed(self.bob), ["Bob 2"])

    def test_history_switched_off(self) -> None:
        """When a category keeps no history any more, what was kept is shown no more."""
        self.alice.post(self.lobby, "Bob")
        categories = self.world.administration.categories
        now_or_never(categories.change_category(ACTOR, "Demo", chat_history=False))
        self.assertEqual(self.listed(self.bob), [])


class Bounds(TopicCase):
    """What one user may have."""

    def test_feeds(self) -> None:
        """Twenty feeds and the ego feed; a feed that is there can still be changed."""
        for number in range(20):
            guid = self.topic(self.bob, "<word>tea</word>", f'name="{number}"')
        reply = self.bob.command("settopic", '<topic name="one more"><word>tea</word></topic>')
        assert reply is not None
        self.assertEqual((reply.code, reply.symbol), (413, "ERROR_LIMIT_EXCEEDED"))
        self.topic(self.bob, "<word>tea</word>", f'guid="{guid}" version="1" name="changed"')

    def test_entries(self) -> None:
        """Fifty words; the same word again is none."""
        words = "".join(f"<word>w{number}</word>" for number in range(50))
        self.topic(self.bob, words + "<word>w0</word>")
        reply = self.bob.command("settopic", f'<topic name="x">{words}<word>more</word></topic>')
        assert reply is not None
        self.assertEqual((reply.code, reply.symbol), (413, "ERROR_LIMIT_EXCEEDED"))

    def test_hits(self) -> None:
        """The oldest hits go when there are too many; those that are read go first."""
        with mock.patch.object(topics, "HITS_PER_USER", 3), mock.patch.object(hits, "TRIM_AFTER", 5):
            for number in range(4):
                self.alice.post(self.lobby, f"Bob {number}")
                self.world.clock.advance(1)
            self.world.parts.sweep()
            self.assertEqual(len(self.rows("topic_hits")), 4)
            self.alice.post(self.lobby, "Bob 4")
            self.store.away = {"trim_hits"}
            self.world.parts.sweep()
            self.assertEqual(len(self.rows("topic_hits")), 5)
            self.store.away = set()
            self.world.parts.sweep()
        self.assertEqual([chat_id for _, _, chat_id, _, _ in self.rows("topic_hits")], [3, 4, 5])
        self.assertEqual(self.listed(self.bob), ["Bob 4", "Bob 3", "Bob 2"])

    def test_many_users_in_pieces(self) -> None:
        """Not more than some users' hits are gone through in one transaction, so that posts go on between."""
        with (
            mock.patch.object(hits, "TRIM_AFTER", 1),
            mock.patch.object(hits, "TRIM_AT_ONCE", 1),
            mock.patch.object(topics, "HITS_PER_USER", 1),
        ):
            follow(self.world.person("carol"), self.lobby)
            for number in range(2):
                self.alice.post(self.lobby, f"Bob and Carol {number}")
                self.world.clock.advance(1)
            self.world.parts.sweep()
        self.assertEqual([chat_id for _, _, chat_id, _, _ in self.rows("topic_hits")], [2, 2])

    def test_read_hits_are_forgotten(self) -> None:
        """What was read takes no room among those that are kept."""
        for number in range(3):
            self.alice.post(self.lobby, f"Bob {number}")
        self.bob.command("setread", f'<chanib uri="{self.lobby.uri}"><read chatid="2"/></chanib>')
        now_or_never(self.store.write(topics.trim_hits, [row[0] for row in self.rows("topic_hits")]))
        self.assertEqual(len(self.rows("topic_hits")), 1)


class Access(TopicCase):
    """Nobody is shown a byte of a room that he may not read."""

    def test_what_others_follow(self) -> None:
        """That somebody else follows a room does not show its messages to who follows another one."""
        yard = self.world.add_room("Yard")
        carol = self.world.person("carol")
        self.alice.join(yard)
        follow(carol, yard)
        carol.command("gettopics")
        self.alice.post(yard, "Bob and Carol")
        self.assertEqual((self.hits(self.bob), self.hits(carol)), ([], ["Bob and Carol"]))

    def test_nothing_kept_without_history(self) -> None:
        """Of a message that is not kept, no hit is kept either."""
        categories = self.world.administration.categories
        now_or_never(categories.change_category(ACTOR, "Demo", chat_history=False))
        self.alice.post(self.lobby, "Bob")
        self.assertEqual(self.hits(self.bob), ["Bob"])
        self.assertEqual(self.rows("topic_hits"), [])

    def test_other_hits_do_not_show(self) -> None:
        """A hit that may no longer be read neither counts as one that was cut, nor as a read."""
        ops = self.world.add_room("Ops", "closed", members=["alice", "bob"])
        self.alice.join(ops)
        follow(self.bob, ops)
        self.alice.post(self.lobby, "Bob 1")
        self.alice.post(ops, "Bob 2")
        self.world.remove_member("Ops", "bob")
        reply = self.bob.command("gettopichits", '<hits maxResults="1"/>')
        assert reply is not None
        self.assertEqual([local(one) for one in reply.data], ["chanib"])
        self.assertEqual(self.world.events("read"), ["read bob Lobby"])

    def test_room_goes_while_listing(self) -> None:
        """A room that is removed while the read is recorded is not shown."""
        self.alice.post(self.lobby, "Bob")
        self.store.slow = {"record"}
        self.bob.command("gettopichits")
        self.store.slow = set()
        now_or_never(self.world.administration.rooms.remove_room(ACTOR, "Lobby"))
        self.store.go()
        reply = self.bob.reply("gettopichits")
        assert reply is not None
        self.assertEqual((reply.code, reply.data), (200, []))

    def test_right_goes_while_listing(self) -> None:
        """A right that goes between the question and the answer is missing in the answer."""
        ops = self.world.add_room("Ops", "closed", members=["alice", "bob"])
        self.alice.join(ops)
        follow(self.bob, ops)
        self.alice.post(ops, "Bob, a secret")
        for moment in ("unread_hits", "hit_messages", "record"):
            self.store.slow = {moment}
            self.bob.command("gettopichits")
            self.world.remove_member("Ops", "bob")
            self.store.slow = set()
            self.store.go()
            reply = self.bob.reply("gettopichits")
            assert reply is not None
            self.assertEqual((reply.code, reply.data), (200, []), moment)
            self.world.add_member("Ops", "bob")
        self.assertEqual(self.listed(self.bob), ["Bob, a secret"])
