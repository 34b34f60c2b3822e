"""Invitations, preferences and read markers as the service answers about them while other things change."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree
from twisted.trial.unittest import SynchronousTestCase

from pchat.rooms.room import Role, Room
from pchat.testing.memory import now_or_never
from pchat.xccos.codes import ResponseCode
from tests.rooms.service_support import ACTOR, Person, Reply, World


def numbers(reply: Reply | None) -> list[int]:
    """Numbers of the invitations in a reply."""
    assert reply is not None
    return [int(block.get("inviteId", "0")) for block in reply.named("chanib")]


def cursor(reply: Reply | None) -> int:
    """The number that a client goes on from."""
    assert reply is not None
    return int(reply.named("inv")[0].get("inviteId", "0"))


def infos(block: etree._Element) -> dict[str, int]:
    """How the user stands in a room: ``read`` and ``unread``."""
    mine = "urn:pchat:info:"
    return {
        str(child.get("id")).removeprefix(mine): int(child.text or "")
        for child in block
        if str(child.get("id")).startswith(mine)
    }


class InvitationTests(SynchronousTestCase):
    """Alice is invited to rooms of a category that has invitations."""

    def setUp(self) -> None:
        self.world = World()
        categories = self.world.administration.categories
        now_or_never(categories.add_category(ACTOR, "Inviting", allowed=["example.com"], invitations=True))
        self.world.add_user("alice")
        self.rooms = [
            self.world.add_room(f"Room {n}", "closed", ["alice"], category="Inviting") for n in range(8)
        ]
        self.alice = self.world.person("alice")

    def ask(self, since: int) -> Reply | None:
        """Ask for invitations after a number."""
        return self.alice.command("getinv", f'<inv inviteId="{since}" domain="example.com"/>')

    def read_on(self) -> list[list[int]]:
        """Ask until nothing more comes; returns the numbers, answer by answer."""
        answers, since = [], 1
        while True:
            reply = self.ask(since)
            assert reply is not None
            answers.append(numbers(reply))
            since = cursor(reply)
            if not reply.named("limit"):
                return answers

    def test_read_on(self) -> None:
        """Whoever goes on from the number told gets all that he may see; what he may not see cuts nothing."""
        rooms = self.world.administration.rooms
        for room in (*self.rooms[:3], self.rooms[5], self.rooms[7]):
            now_or_never(rooms.disable_room(ACTOR, room.uri))
        now_or_never(self.world.administration.settings.set_setting(ACTOR, "search-limit", "2"))
        self.assertEqual(self.read_on(), [[5, 6], [8]])
        now_or_never(self.world.administration.settings.set_setting(ACTOR, "search-limit", "1"))
        self.assertEqual(self.read_on(), [[5], [6], [8]])
        now_or_never(self.world.administration.settings.set_setting(ACTOR, "search-limit", "3"))
        self.assertEqual(self.read_on(), [[5, 6, 8]])

    @settings(max_examples=40, deadline=None)
    @given(st.sets(st.integers(0, 7)), st.integers(1, 9))
    def test_whatever_may_be_seen(self, seen: set[int], limit: int) -> None:
        """Each visible invitation comes once, in order; every answer but the last is as long as it may be."""
        visible = {self.rooms[place] for place in seen}
        self.world.parts.base.settings.search_limit = limit
        self.patch(
            self.world.parts.base.access,
            "refusal_to_join",
            lambda user, room: None if room in visible else ResponseCode.ERROR_PERMISSION,
        )
        answers = self.read_on()
        expected = [place + 2 for place in sorted(seen)]
        self.assertEqual([number for answer in answers for number in answer], expected)
        self.assertEqual([len(answer) for answer in answers[:-1]], [limit] * (len(answers) - 1))
        self.assertLessEqual(len(answers[-1]), limit)

    def test_a_right_that_goes_while_the_store_reads(self) -> None:
        """An invitation is not listed when its room may no longer be seen by the time of the answer."""
        self.world.store.slow.add("invitations_after")
        self.assertIsNone(self.ask(1))
        now_or_never(self.world.administration.rooms.disable_room(ACTOR, self.rooms[0].uri))
        self.world.store.go()
        self.assertEqual(numbers(self.alice.reply("getinv")), [3, 4, 5, 6, 7, 8, 9])

    def test_told_only_of_what_one_may_see(self) -> None:
        """Whoever may not see the room when it comes to telling is not told."""
        self.alice.hear()
        user, room = self.alice.session.user, self.rooms[0]
        self.world.parts.channel.invitations.invited(room, {user.id: 10, 999_999: 4})
        self.assertEqual(self.alice.notices(), ["ntc:invite"])
        now_or_never(self.world.administration.rooms.disable_room(ACTOR, room.uri))
        self.world.parts.channel.invitations.invited(room, {user.id: 11})
        self.assertEqual(self.alice.notices(), [])

    def test_many_are_told_in_one_rendering(self) -> None:
        """People whose invitations have the same number get the same bytes, others their own number."""
        guests = [self.world.person(name) for name in ("bob", "carol")]
        for guest in guests:
            guest.hear()
        self.alice.hear()
        members = [f"sip:{name}@example.com" for name in ("bob", "carol")]
        now_or_never(self.world.administration.rooms.add_role(ACTOR, self.rooms[0].uri, Role.MEMBER, members))
        told = [self.notice_of(guest) for guest in guests]
        self.assertEqual(etree.tostring(told[0]), etree.tostring(told[1]))
        self.assertEqual(told[0][0][0].get("inviteId"), "2")
        self.assertEqual(self.alice.notices(), [])

    def notice_of(self, person: Person) -> etree._Element:
        """The one invitation that somebody was told of."""
        [notice] = [one for one in person.hear() if one.get("id") == "ntc:invite"]
        return notice


class PreferenceTests(SynchronousTestCase):
    """Alice keeps preferences."""

    def setUp(self) -> None:
        self.world = World()
        self.alice = self.world.person("alice")

    def set(self, label: str, content: str = "") -> Reply:
        """Store a preference."""
        reply = self.alice.command("setpref", f'<pref label="{label}" seqid="0" content="{content}"/>')
        assert reply is not None
        return reply

    def test_too_many(self) -> None:
        """The two hundredth label is the last; another is refused, one that is there is not."""
        for number in range(200):
            self.assertEqual(self.set(f"label {number}").code, 200)
        self.assertEqual(self.set("one more").symbol, "ERROR_LIMIT_EXCEEDED")
        self.assertEqual(self.set("label 7", "eA==").code, 200)

    def test_answered_when_kept(self) -> None:
        """The new version is told after the commit, and not at all when there was none."""
        self.world.store.slow.add("set_preference")
        self.alice.info('<cmd id="cmd:setpref" seqid="1"><data><pref label="a" content=""/></data></cmd>')
        self.assertIsNone(self.alice.reply("setpref"))
        self.world.store.go(failing=True)
        refused = self.alice.reply("setpref")
        assert refused is not None
        self.assertEqual(refused.symbol, "ERROR_DATABASE_CONNECTION")
        self.world.store.slow.clear()
        self.assertEqual(self.set("a").named("pref")[0].get("seqid"), "1")


class ReadMarkerTests(SynchronousTestCase):
    """Alice reads what Bob writes."""

    def setUp(self) -> None:
        self.world = World()
        self.bob = self.world.person("bob")
        self.bob.join(self.world.lobby)
        for _ in range(3):
            self.bob.post(self.world.lobby, "hello")
        self.alice = self.world.person("alice")

    def joined(self, *rooms: Room) -> list[dict[str, int]]:
        """Enter rooms; returns how she stands in each."""
        reply = self.alice.join(*rooms)
        assert reply is not None
        self.assertEqual(reply.code, 200)
        return [infos(block) for block in reply.named("chanib")]

    def mark(self, room: Room, chat_id: int) -> Reply | None:
        """Tell how far she has read."""
        return self.alice.command("setread", f'<chanib uri="{room.uri}"><read chatid="{chat_id}"/></chanib>')

    def test_a_store_that_cannot_count(self) -> None:
        """Whoever enters a room whose messages cannot be counted is in it all the same, and told nothing."""
        self.world.store.away.add("read_states")
        self.assertEqual(self.joined(self.world.lobby), [{}])
        self.assertIn(self.world.lobby.id, self.alice.session.rosters)
        reply = self.mark(self.world.lobby, 2)
        assert reply is not None
        self.assertEqual([infos(block) for block in reply.named("chanib")], [{"read": 2}])
        self.world.store.away.clear()
        self.assertEqual(self.joined(self.world.lobby), [{"read": 2, "unread": 1}])

    def test_no_message_before_the_reply(self) -> None:
        """However long the store counts, nothing of a room comes before the reply to the join."""
        self.world.store.slow.add("read_states")
        self.assertIsNone(self.alice.join(self.world.lobby))
        self.bob.post(self.world.lobby, "meanwhile")
        self.world.store.go()
        self.bob.post(self.world.lobby, "afterwards")
        heard = [str(one.get("id")) for one in self.alice.hear()]
        self.assertEqual(heard, ["rpl:join", "grpchat"])

    def test_a_right_that_goes_while_the_marker_is_set(self) -> None:
        """A room that one may no longer read is refused, also when its marker was stored."""
        room = self.world.add_room("Ops", "closed", ["alice"])
        self.world.store.slow.add("set_markers")
        self.assertIsNone(self.mark(room, 0))
        self.world.remove_member("Ops", "alice")
        self.world.store.go()
        refused = self.alice.reply("setread")
        assert refused is not None
        self.assertEqual((refused.symbol, len(refused.named("chanib"))), ("ERROR_PERMISSION", 0))

    def test_a_room_that_goes_while_the_marker_is_set(self) -> None:
        """A room that is removed first is refused, and no marker of it stays behind."""
        room = self.world.add_room("Ops")
        self.world.store.slow.add("set_markers")
        self.assertIsNone(self.mark(room, 0))
        now_or_never(self.world.administration.rooms.remove_room(ACTOR, "Ops"))
        self.world.store.go()
        refused = self.alice.reply("setread")
        assert refused is not None
        self.assertEqual(refused.symbol, "ERROR_NO_SUCH_NODE")

    def test_own_rooms(self) -> None:
        """A manager who is no member sees his room, but not how much there is to read in it."""
        self.world.add_room("Ops", "closed")
        now_or_never(self.world.administration.rooms.add_role(ACTOR, "Ops", Role.MANAGER, [self.alice.uri]))
        for kind, expected in (("MANAGER", [{}]), ("MEMBER", [{"read": 0, "unread": 3}])):
            reply = self.alice.command("getassociations", f'<association type="{kind}"/>')
            assert reply is not None
            self.assertEqual([infos(block) for block in reply.named("chanib")], expected)

    def test_search_tells_nothing_of_reading(self) -> None:
        """What anybody finds by searching is the same for all: no markers, nothing is counted."""
        asked: list[str] = []

        def never_fails(kind: str) -> bool:
            asked.append(kind)
            return False

        self.world.store.fails = never_fails
        reply = self.alice.command("chansrch", '<qib qtype="BYNAME" criteria=""/>')
        assert reply is not None
        self.assertEqual([infos(block) for block in reply.named("chanib")], [{}])
        self.assertNotIn("read_states", asked)
