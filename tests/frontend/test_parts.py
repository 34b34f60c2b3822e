"""The small pure parts: aggregation, container lookup, deadlines."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from pchat.frontend.aggregate import aggregate, aggregates
from pchat.frontend.containers import Container, Containers, Member, MemberType
from pchat.frontend.deadlines import BATCH, LONGEST_SLEEP, Deadlines
from pchat.frontend.limits import PresenceLimits
from pchat.frontend.publications import SERVER, ExpireType, Publication, PublicationKey
from pchat.frontend.room_setting import FollowedRoom, followed_room
from tests.frontend.support import STATE, XSI


def state(
    availability: object, kind: str = "", instance: int = 0, container: int = 2, owner: str = ""
) -> Publication:
    """Make a state row."""
    named = f' xmlns:i="{XSI}" i:type="{kind}"' if kind else ""
    payload = (
        f'<state xmlns="{STATE}"{named}><availability>{availability}</availability>'
        f'<activity token="busy-at-{availability}"/></state>'
    )
    key = PublicationKey("state", container, instance)
    return Publication(key, 1, ExpireType.STATIC, None, 0, owner, payload.encode())


class AggregateTest(SynchronousTestCase):
    """docs/spec/presence.md section 5, "Aggregate, minimal"."""

    def check(self, expected: int, *rows: Publication, online: bool = True) -> None:
        self.assertEqual(aggregate(rows, online).availability, expected)

    def test_table(self) -> None:
        """Hand beats machine from busy on; the liveliest machine counts; calendar and phone make busier."""
        self.check(18500, state(3500, "userState"), online=False)
        self.check(3500)
        self.check(15500, state(15500, "machineState"))
        self.check(3500, state(15500, "machineState", 1), state(3500, "machineState", 2))
        self.check(9500, state(9500, "userState"), state(3500, "machineState"))
        self.check(15500, state(3500, "userState"), state(15500, "machineState"))
        self.check(6500, state(3500, "machineState"), state(6500, "calendarState"))
        self.check(15500, state(15500, "machineState"), state(6500, "phoneState"))
        self.check(6500, state(6500, "phoneState"))
        self.check(6500, state(6500, "calendarState"), state(3500, "phoneState"))

    def test_kind_by_instance(self) -> None:
        """Without xsi:type the first digit of the instance tells what a row speaks of."""
        self.check(9500, state(9500, instance=0x20000000), state(3500, instance=0x3F000000))
        self.check(3500, state(9500, instance=0x70000000))

    def test_unreadable(self) -> None:
        """Payloads that say nothing are passed over."""
        empty = Publication(PublicationKey("state", 2, 0x20000000), 1, ExpireType.STATIC, None, 0, "", b"")
        self.check(3500, empty, state("x", "userState"), state("", "userState"), state("1" * 6, "userState"))

    def test_activity(self) -> None:
        """What the user is doing comes from the row that won."""
        self.assertEqual(aggregate([state(6500, "phoneState")], True).activity, "busy-at-6500")
        self.assertIn(
            b'<activity token="busy-at-6500"/>', aggregate([state(6500, "phoneState")], True).payload()
        )

    def test_sources(self) -> None:
        """Container 2 makes 2, 100, 200 and 400; container 3 makes 300, if there is anything in it."""
        rows = [state(6500, "userState"), state(9500, "userState", 1, 200), state(9500, "x", 1, 2, SERVER)]
        self.assertEqual(
            {n: found.availability for n, found in aggregates(rows, True).items()},
            dict.fromkeys((2, 100, 200, 400, 300), 6500),
        )
        rows.append(state(15500, "userState", 2, 3))
        self.assertEqual(aggregates(rows, True)[300].availability, 15500)
        self.assertEqual(aggregates(rows, True)[400].availability, 6500)


class LookupTest(SynchronousTestCase):
    """Which container a watcher is in (docs/spec/presence.md section 4)."""

    def test_order(self) -> None:
        """User beats domain beats enterprise beats everyone; within a type 32000 comes first, 100 last."""
        rows = [
            Container(
                32000,
                1,
                (Member(MemberType.USER, "Mallory@example.com"), Member(MemberType.DOMAIN, "bad.net")),
            ),
            Container(
                400,
                1,
                (Member(MemberType.USER, "bob@example.com"), Member(MemberType.USER, "mallory@example.com")),
            ),
            Container(
                300, 1, (Member(MemberType.DOMAIN, "example.org"), Member(MemberType.DOMAIN, "bad.net"))
            ),
            Container(200, 1, ()),
            Container(100, 1, (Member(MemberType.EVERYONE), Member(MemberType.SAME_ENTERPRISE))),
            Container(2, 1, (Member(MemberType.USER, "carol@example.com"),)),
        ]
        found = Containers(PresenceLimits(), rows)
        for address, expected in (
            ("mallory@example.com", 32000),
            ("bob@example.com", 400),
            ("dora@example.org", 300),
            ("eve@bad.net", 32000),
            ("carol@example.com", 100),
        ):
            self.assertEqual(found.of_watcher(address), expected)
        self.assertEqual(Containers(PresenceLimits()).of_watcher("x@y.net"), 200)
        self.assertEqual(Containers(PresenceLimits()).of_watcher("x@y.net", same_enterprise=False), 100)
        nobody = Containers(PresenceLimits(), [Container(100, 2, ()), Container(200, 2, ())])
        self.assertEqual(nobody.of_watcher("x@y.net"), 0)


class RoomSettingTest(SynchronousTestCase):
    """Reading who follows what (docs/spec/presence.md section 6)."""

    def test_forms(self) -> None:
        """Both forms of a value are read, at any depth; what cannot be read is just not told."""
        url, inner = "ma-chan://example.com/58384137", "<v>Lobby</v>"
        payload = (
            f'<r xmlns="urn:r"><p:list xmlns:p="urn:p"><p:property name="url"> {url} </p:property>'
            f'<!-- x --><p:property name="name">{inner}</p:property></p:list></r>'
        )
        self.assertEqual(followed_room(payload.encode()), FollowedRoom(url, "Lobby"))
        for odd in (b"", b"<a/>", b"no xml", b"<property/>", b"<a><property name='url'/></a>"):
            self.assertEqual(followed_room(odd), FollowedRoom("", ""))


class DeadlinesTest(SynchronousTestCase):
    """Many deadlines on one timer."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.met: list[tuple[int, float]] = []
        self.deadlines: Deadlines[int] = Deadlines(
            self.clock, lambda key: self.met.append((key, self.clock.seconds()))
        )

    def run_to(self, end: float) -> None:
        while self.clock.seconds() < end:
            self.clock.advance(0.25)

    def test_each_once(self) -> None:
        """Each key is met once, not early, a second late at most; moved and cancelled ones as they say."""
        for key, at in ((1, 5.0), (2, 5.5), (3, 8.0), (4, 9.0)):
            self.deadlines.set(key, at)
        self.deadlines.set(3, 20.0)
        self.deadlines.cancel(4)
        self.run_to(30)
        self.assertEqual([key for key, _ in self.met], [1, 2, 3])
        for (_, when), at in zip(self.met, (5.0, 5.5, 20.0), strict=True):
            self.assertTrue(at <= when <= at + 1.25, (when, at))
        self.assertEqual((len(self.deadlines), self.clock.getDelayedCalls()), (0, []))

    def test_earlier(self) -> None:
        """A deadline set later may come earlier."""
        self.deadlines.set(1, 100.0)
        self.deadlines.set(2, 10.0)
        self.run_to(12)
        self.assertEqual([key for key, _ in self.met], [2])

    def test_far_away(self) -> None:
        """A deadline years ahead is met, though the timer never sleeps that long in one go."""
        self.deadlines.set(1, 10_000.0)
        (call,) = self.clock.getDelayedCalls()
        self.assertEqual(call.getTime(), LONGEST_SLEEP)
        self.clock.pump([2000.0] * 6)
        self.assertEqual([key for key, _ in self.met], [1])

    def test_one_timer(self) -> None:
        """Renewing thousands of times leaves one timer, and a bounded heap."""
        for turn in range(5000):
            self.deadlines.set(turn % 3, 1000.0 + turn)
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        self.assertLess(len(self.deadlines._heap), 300)
        self.run_to(7000)
        self.assertEqual(sorted(key for key, _ in self.met), [0, 1, 2])

    def test_batches(self) -> None:
        """When very many are due, one turn meets some and the next turns the rest."""
        turns: list[int] = []
        for key in range(3 * BATCH):
            self.deadlines.set(key, 5.0)
        self.clock.callLater(5.0, lambda: self.clock.callLater(0, lambda: turns.append(len(self.met))))
        self.clock.advance(5.0)
        self.assertEqual(turns, [2 * BATCH])
        self.assertEqual(sorted(key for key, _ in self.met), list(range(3 * BATCH)))
