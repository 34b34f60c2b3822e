"""What every store must do; each engine's test case is one of these with a factory method.

A new engine adds test cases, ``class X(AppendContract, SynchronousTestCase)``, with the methods
`make_store` and `result_of`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from pchat.errors import OurError, StoreUnavailable
from pchat.interfaces import IStore, ITransaction
from pchat.store import messages
from pchat.store.messages import Appended, Stale
from pchat.store.schema import find_steps
from pchat.store.transaction import ConstraintError
from pchat.ticks import TICKS_PER_SECOND, from_unix
from tests.store.support import add_user, make_rooms, new_message, outbox_rows, raise_revision, users

NOON = 1_800_000_000.0

if TYPE_CHECKING:
    Case = SynchronousTestCase
else:
    Case = object  # a mixin: runners must not take it for a test case of its own


class StoreCase(Case):
    """A started store with the rooms 1 and 2, at a time that the test sets."""

    def make_store(self, clock: Clock, **options: Any) -> Any:
        """Make a store that is not started yet, on a new and empty place."""
        raise NotImplementedError

    def result_of(self, deferred: Deferred[Any]) -> Any:
        """Wait for a Deferred of the store; raise its error."""
        raise NotImplementedError

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(NOON)
        self.store = self.started()

    def started(self, **options: Any) -> Any:
        store = self.make_store(self.clock, **options)
        self.result_of(store.start())
        self.addCleanup(lambda: self.result_of(store.stop()))
        self.result_of(store.write(make_rooms, 1, 2))
        return store

    def refused(self, deferred: Deferred[Any], error: type[Exception]) -> str:
        with self.assertRaises(error) as caught:
            self.result_of(deferred)
        return str(caught.exception)

    def history(self, room_id: int = 1, store: Any = None) -> list[tuple[int, str]]:
        found = self.result_of((store or self.store).read(messages.last_messages, room_id, 1000))
        return [(message.chat_id, message.chat) for message in found]


class AppendContract(StoreCase):
    """What a post becomes."""

    def test_is_an_istore(self) -> None:
        """The store offers what the rest of the server relies on."""
        verifyObject(IStore, self.store)

    def test_numbers_start_at_one_in_each_room(self) -> None:
        """Posts are numbered 1, 2, 3 in every room, whatever happens in the others."""
        outcomes = self.result_of(
            self.store.append(
                [new_message(1), new_message(2), new_message(1), new_message(2), new_message(1)]
            )
        )
        self.assertEqual([outcome.chat_id for outcome in outcomes], [1, 1, 2, 2, 3])
        self.assertEqual(self.result_of(self.store.append([new_message(2)]))[0].chat_id, 3)

    def test_time_is_the_servers_and_never_goes_back(self) -> None:
        """A post bears the server's time; when the clock is set back, the time of the post before."""
        first = self.result_of(self.store.append([new_message()]))
        self.clock.rightNow = NOON - 3600
        second = self.result_of(self.store.append([new_message()]))
        self.clock.rightNow = NOON + 1
        third = self.result_of(self.store.append([new_message()]))
        noon = from_unix(NOON)
        self.assertEqual([first, second], [[Appended(1, noon)], [Appended(2, noon)]])
        self.assertEqual(third, [Appended(3, noon + TICKS_PER_SECOND)])

    def test_nothing_to_append(self) -> None:
        """No messages, no outcomes."""
        self.assertEqual(self.result_of(self.store.append([])), [])

    def test_text_comes_back_as_it_was(self) -> None:
        """Every script, emoji, line breaks and formatting are read back unchanged."""
        chat = "naïve 北京 עברית\n\t\u202ertl 👩‍👩‍👧 %s ' \" ; --"
        message = new_message(chat=chat, rtf="{\\rtf1 …}", alert=True)
        [outcome] = self.result_of(self.store.append([message]))
        [stored] = self.result_of(self.store.read(messages.last_messages, 1, 1))
        self.assertEqual(stored, (outcome.chat_id, outcome.ts, 1, True, chat, "{\\rtf1 …}"))

    def test_without_history_only_the_event_is_kept(self) -> None:
        """In a category without history a post is not found later, but it is numbered and archived."""
        message = new_message(chat="off the record", logged=False)
        self.assertEqual(self.result_of(self.store.append([message]))[0].chat_id, 1)
        self.assertEqual(self.history(), [])
        [event] = self.result_of(self.store.read(outbox_rows))
        self.assertEqual(event[-2:], (1, "off the record"))

    def test_every_post_leaves_one_event(self) -> None:
        """The archive gets each post with its number, time and text, in one sequence without gaps."""
        sent = [new_message(room, chat=f"text {n}") for n, room in enumerate((1, 2, 1))]
        outcomes = self.result_of(self.store.append(sent))
        events = self.result_of(self.store.read(outbox_rows))
        self.assertEqual(
            events,
            [
                (n, message.message_id, "post", outcome.ts, message.room_id, outcome.chat_id, message.chat)
                for n, (message, outcome) in enumerate(zip(sent, outcomes, strict=True), 1)
            ],
        )

    def test_compliance_switched_off(self) -> None:
        """Without compliance posts are kept and no events are written."""
        store = self.started(record_events=False)
        self.assertEqual(self.result_of(store.append([new_message()]))[0].chat_id, 1)
        self.assertEqual(self.history(store=store), [(1, "hello")])
        self.assertEqual(self.result_of(store.read(outbox_rows)), [])

    def test_a_decision_that_is_too_old(self) -> None:
        """A post decided before a right was taken away is not committed; the caller is told the revision."""
        self.result_of(self.store.write(raise_revision))
        outcomes = self.result_of(
            self.store.append([new_message(chat="old"), new_message(chat="new", revision=1)])
        )
        self.assertEqual(outcomes[0], Stale(1))
        self.assertEqual(outcomes[1].chat_id, 1)
        self.assertEqual(self.history(), [(1, "new")])
        self.assertEqual([row[-1] for row in self.result_of(self.store.read(outbox_rows))], ["new"])

    def test_a_removal_waiting_before_the_post_wins(self) -> None:
        """A change asked for before a post is seen by that post, even when both are committed together."""
        change, post = self.store.write(raise_revision), self.store.append([new_message()])
        self.assertEqual(self.result_of(change), 1)
        self.assertEqual(self.result_of(post), [Stale(1)])

    def test_a_room_that_is_not_there(self) -> None:
        """A post to a room the store does not have, at the present revision, is a bug and nothing is kept."""
        good, bad = self.store.append([new_message()]), self.store.append([new_message(99)])
        self.assertEqual(self.result_of(good)[0].chat_id, 1)
        self.assertIn("99", self.refused(bad, OurError))
        self.assertEqual(self.history(), [(1, "hello")])

    def test_the_same_post_twice(self) -> None:
        """An id that was used is refused with its whole call, without a gap and without harm to others."""
        first = new_message(chat="first")
        calls = [
            self.store.append([first]),
            self.store.append([new_message(chat="lost"), first]),
            self.store.append([new_message(chat="second")]),
        ]
        self.assertEqual(self.result_of(calls[0])[0].chat_id, 1)
        self.refused(calls[1], ConstraintError)
        self.assertEqual(self.result_of(calls[2])[0].chat_id, 2)
        self.assertEqual(self.history(), [(1, "first"), (2, "second")])
        self.assertEqual([row[0] for row in self.result_of(self.store.read(outbox_rows))], [1, 2])

    def test_more_than_fits_one_statement(self) -> None:
        """A thousand posts at once are all there, in order, each once."""
        sent = [new_message(chat=str(n)) for n in range(1000)]
        outcomes = self.result_of(self.store.append(sent))
        self.assertEqual([outcome.chat_id for outcome in outcomes], list(range(1, 1001)))
        self.assertEqual(self.history(), [(n + 1, str(n)) for n in range(1000)])

    def test_last_messages_are_the_newest_oldest_first(self) -> None:
        """Joining shows the newest messages in the order they were written."""
        self.result_of(self.store.append([new_message(chat=str(n)) for n in range(1, 10)]))
        found = self.result_of(self.store.read(messages.last_messages, 1, 3))
        self.assertEqual([message.chat_id for message in found], [7, 8, 9])

    def test_messages_between_two_ids(self) -> None:
        """A missing stretch is read with both ends; removed messages are left out."""
        self.result_of(self.store.append([new_message(chat=str(n)) for n in range(1, 10)]))

        async def remove(txn: ITransaction) -> None:
            await txn.run("delete from messages where chat_id = %s", (5,))

        self.result_of(self.store.write(remove))
        found = self.result_of(self.store.read(messages.messages_between, 1, 4, 7))
        self.assertEqual([message.chat_id for message in found], [4, 6, 7])
        self.assertEqual(self.result_of(self.store.append([new_message()]))[0].chat_id, 10)


class TransactionContract(StoreCase):
    """What a transaction body may rely on."""

    def test_results_come_in_commit_order(self) -> None:
        """Whoever asked first is answered first, posts and other changes alike."""
        seen: list[str] = []
        last: Deferred[Any] | None = None
        for n in range(20):
            kind = f"body {n}" if n % 3 else f"post {n}"
            last = (
                self.store.write(add_user, f"user {n}")
                if n % 3
                else self.store.append([new_message(chat=kind)])
            )
            last.addCallback(lambda _, kind: seen.append(kind), kind)
        assert last is not None
        self.result_of(last)
        self.assertEqual(seen, [f"body {n}" if n % 3 else f"post {n}" for n in range(20)])

    def test_a_failing_body_leaves_nothing_behind(self) -> None:
        """If a change fails half way, nothing of it is kept, and neighbours are not harmed."""

        async def fails(txn: ITransaction) -> None:
            await add_user(txn, "half")
            raise LookupError("no such thing")

        calls = [
            self.store.write(fails),
            self.store.write(add_user, "ann"),
            self.store.write(fails),
            self.store.write(add_user, "bob"),
        ]
        self.assertEqual(self.refused(calls[0], LookupError), "no such thing")
        self.result_of(calls[1])
        self.refused(calls[2], LookupError)
        self.result_of(calls[3])
        self.assertEqual(self.result_of(self.store.read(users)), ["ann", "bob"])

    def test_a_body_that_awaits_something_foreign(self) -> None:
        """A body that waits for anything but the store is refused and undone: it would hold up everybody."""

        async def waits(txn: ITransaction) -> None:
            await add_user(txn, "half")
            await Deferred()

        calls = [
            self.store.write(add_user, "ann"),
            self.store.write(waits),
            self.store.write(add_user, "bob"),
        ]
        self.result_of(calls[0])
        self.assertIn("nothing but", self.refused(calls[1], RuntimeError))
        self.result_of(calls[2])

        async def searches(txn: ITransaction) -> None:
            await txn.query("select 1")
            await Deferred()

        self.refused(self.store.read(searches), RuntimeError)
        self.assertEqual(self.result_of(self.store.read(users)), ["ann", "bob"])

    def test_a_broken_rule_of_the_schema(self) -> None:
        """A name that is taken is told apart from a store that does not work."""
        self.result_of(self.store.write(add_user, "ann"))
        self.refused(self.store.write(add_user, "ann"), ConstraintError)

    def test_a_reference_to_nothing(self) -> None:
        """A room in a category that does not exist cannot be made."""

        async def orphan(txn: ITransaction) -> None:
            await txn.run("update rooms set category_id = 77 where room_id = 1")

        self.refused(self.store.write(orphan), ConstraintError)

    def test_reading_changes_nothing(self) -> None:
        """A body that was only asked to read cannot write, and writing works afterwards."""
        self.refused(self.store.read(add_user, "sly"), OurError)
        self.result_of(self.store.write(add_user, "ann"))
        self.assertEqual(self.result_of(self.store.read(users)), ["ann"])

    def test_a_body_may_not_end_the_transaction(self) -> None:
        """Statements about the transaction itself, and a literal percent sign, are refused."""
        for sql in ("commit", "ROLLBACK", " begin immediate", "savepoint x", "select '50%'", ""):

            async def body(txn: ITransaction, sql: str = sql) -> None:
                await add_user(txn, "half")
                await txn.query(sql)

            self.refused(self.store.write(body), OurError)
        self.assertEqual(self.result_of(self.store.read(users)), [])

    def test_a_bad_statement_is_our_bug(self) -> None:
        """A misspelt statement is not taken for a store that is down."""

        async def body(txn: ITransaction) -> None:
            await txn.run("update nowhere set x = 1")

        self.refused(self.store.write(body), OurError)

    def test_a_transaction_kept_beyond_its_end(self) -> None:
        """A body cannot smuggle its transaction out and write with it later."""
        kept: list[ITransaction] = []

        async def body(txn: ITransaction) -> None:
            kept.append(txn)

        self.result_of(self.store.write(body))
        for attempt in (kept[0].query("select 1"), kept[0].run("select 1"), kept[0].run_many("select 1", [])):
            with self.assertRaises(OurError):
                attempt.send(None)

    def test_values_returned_by_a_body(self) -> None:
        """Rows, counts and arguments go in and out as they are."""

        async def body(txn: ITransaction, names: list[str]) -> tuple[int, list[Any]]:
            for name in names:
                await add_user(txn, name)
            touched = await txn.run("update principals set state = %s where guid <> 'p'", (2,))
            return touched, await txn.query("select name, state from principals where state = %s", (2,))

        self.assertEqual(self.result_of(self.store.write(body, ["a", "b"])), (2, [("a", 2), ("b", 2)]))

    def test_before_start_and_after_stop(self) -> None:
        """A store that is not open refuses at once, so that clients may send again elsewhere."""
        store = self.make_store(self.clock)
        for ask in (store.write(users), store.read(users), store.append([new_message()])):
            self.refused(ask, StoreUnavailable)
        self.result_of(store.stop())
        self.result_of(store.start())
        self.result_of(store.stop())
        for ask in (store.write(users), store.read(users), store.append([new_message()])):
            self.refused(ask, StoreUnavailable)

    def test_stop_finishes_what_was_accepted(self) -> None:
        """What was asked for before the stop is done and answered."""
        store = self.make_store(self.clock)
        self.result_of(store.start())
        asked = [store.write(make_rooms, 1), store.append([new_message()]), store.read(users)]
        self.result_of(store.stop())
        self.assertEqual([self.successResultOf(ask) is not None for ask in asked], [False, True, True])

    def test_describe_tells_what_was_done(self) -> None:
        """The status page tells engine, schema version and how many messages were kept."""
        self.result_of(self.store.append([new_message(), new_message()]))
        told = self.store.describe()
        self.assertEqual((told["messages"], told["waiting_writes"]), (2, 0))
        self.assertEqual(told["schema_version"], len(find_steps("sqlite")))
