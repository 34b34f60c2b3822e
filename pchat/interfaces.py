"""The internal seams: what one package may know of another.

Reading order is the way of a message: wire, dialog, command, room, store, fan-out.
Nothing here is public: everything may change with any release.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Coroutine, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from zope.interface import Attribute, Interface

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred

    from pchat.sip.message import Request, Response
    from pchat.store.messages import AppendOutcome, NewMessage
    from pchat.words import WordQuery

SqlValue = str | int | float | bytes | None
Row = tuple[Any, ...]
WordsRow = tuple[int, str, str]
"""A message in the index of words: its row in ``messages``, words and extras, parted by blanks."""


class IResponseReceiver(Interface):
    """Who waits for the answer to a request of ours."""

    def response_received(response: Response, cseq: int) -> None:
        """Take a final response.

        Args:
            response: The response, status 200 to 699.
            cseq: Number of the request that it answers.
        """

    def response_missing(cseq: int) -> None:
        """Learn that no final response came in time, or that the connection is gone."""


class ISipConnection(Interface):
    """One connection of a peer, as dialogs and the front end see it.

    Everything sent within one reactor turn leaves as one write, in the order of the calls.
    """

    peer = Attribute("Text for the log: address and port of the peer, ``192.0.2.7:49152``.")
    transport_name = Attribute("``TLS`` or ``TCP``, as it stands in a Via.")
    local_address = Attribute("Our side as it stands in Via and Contact: ``host:port``, IPv6 in brackets.")
    user = Attribute("`pchat.directory.people.Principal` signed in on this connection, or None.")
    association = Attribute("`pchat.auth.signature.Association` that signs what we send, or None.")
    quiet = Attribute("True while no request of ours may leave, since the client is about to get new keys.")
    connected = Attribute("False once the connection is lost or being closed.")
    last_received = Attribute("When the peer last sent anything, in seconds of the reactor's clock.")

    def respond(request: Request, response: Response, *, signed: bool = True) -> None:
        """Send the response to a request that came by this connection, signed in a signed session.

        Args:
            request: The request.
            response: Its final or provisional response.
            signed: False within a handshake, when the client has no keys that we share.
        """

    def start_request(request: Request, receiver: object | None) -> None:
        """Sign and send a request of ours; give its final response to an `IResponseReceiver`."""

    def send(data: bytes) -> None:
        """Send bytes that are already a whole signed message (the fan-out path)."""

    def expect_response(call_id: str, cseq: int, method: str, receiver: object) -> None:
        """Register who gets the final response to a request that was sent by `send`."""

    def hold() -> None:
        """Stop reading from a peer whose requests pile up, until `release` undoes it."""

    def release() -> None:
        """Undo one `hold`."""

    def close(reason: str, within: float | None = None) -> None:
        """Send what is waiting, then close; ``reason`` goes to the log.

        Args:
            reason: Why.
            within: Seconds until the connection is cut off, if the peer does not close its side.
        """

    def abort(reason: str) -> None:
        """Close at once, dropping what is waiting; ``reason`` goes to the log."""


class ITransaction(Protocol):
    """What a transaction body may await, on every engine: nothing but these."""

    async def query(self, sql: str, args: Sequence[SqlValue] = ()) -> list[Row]:
        """Run a statement that returns rows."""

    async def run(self, sql: str, args: Sequence[SqlValue] = ()) -> int:
        """Run a statement and return the number of rows it touched."""

    async def run_many(self, sql: str, rows: Sequence[Sequence[SqlValue]]) -> None:
        """Run one statement for each row of arguments."""

    async def gather(self, columns: Sequence[str], sql: str, args: Sequence[SqlValue] = ()) -> list[Row]:
        """Run a select that returns many rows, and take them all in one step.

        Args:
            columns: Names of the columns that the select has; they hold numbers, texts and nulls only.
            sql: The select.
            args: Its arguments.

        Returns:
            The rows, in the order of the select.
        """

    async def index_words(self, rows: Sequence[WordsRow]) -> None:
        """Put the words of messages into the index of words; none of the messages may be there yet."""

    async def unindex_words(self, rows: Sequence[WordsRow]) -> None:
        """Take messages out of the index of words: with exactly the words that they were put in with."""

    async def word_hits(
        self,
        words: WordQuery | None,
        authors: Collection[int],
        marked_rooms: Collection[int],
        rows: tuple[int, int],
        where: str,
        args: Sequence[SqlValue],
        *,
        newest_first: bool,
        limit: int,
    ) -> list[Row]:
        """Find messages by the index of words, in the order of their rows, in one step.

        It agrees with `pchat.words.matches` on each message. SQLite: FTS5 (``store/fts5.py``), read from one
        end and no further than needed. PostgreSQL: a ``tsvector`` of the same words at the same positions
        in weight A and the extras in weight D; phrases with ``<->``, prefixes with ``:*``.

        Args:
            words: What is searched for, without regard to case; None for anything by the authors.
            authors: Numbers of principals, any of whom wrote the message; empty for anybody.
            marked_rooms: Rooms to look up in the index itself, which is worth it for few and quiet ones;
                empty to look in all.
            rows: First and last row to look at, both included.
            where: Further conditions, each begun by ``and``, on ``m``, the row in ``messages``.
            args: Their arguments.
            newest_first: Whether the highest rows come first and are kept, else the lowest.
            limit: The most hits.

        Returns:
            Row, room, chat id, time and text of each. The text is there only if ``words`` ask for case.

        Raises:
            TookTooLong: It was interrupted; the transaction can go on.
        """


class Body(Protocol):
    """A transaction body: ``async def body(txn, *args)``; takes and returns values, never room objects."""

    def __call__(self, txn: ITransaction, *args: Any) -> Coroutine[Any, Any, Any]: ...


class IStore(Interface):
    """The chat store: SQLite embedded, PostgreSQL in production; one contract test suite.

    SQL is written with ``%s`` for arguments; a literal ``%`` is not allowed. This is the type of a store as
    well: who needs one is annotated ``store: IStore``, and who is one is its ``@implementer``.
    """

    server_id: int = Attribute("Our row in ``servers``, once started; 0 before.")
    run_id: str = Attribute("Names this run of the server in ``servers`` and ``participants``.")

    def start() -> Deferred[None]:
        """Open the store and apply missing schema steps."""

    def stop() -> Deferred[None]:
        """Finish what was accepted, then close."""

    def write(body: Body, *args: Any) -> Deferred[Any]:
        """Run a body in a transaction; fires after its commit, in commit order.

        Raises:
            StoreUnavailable: Certainly nothing was committed.
            OutcomeUnknown: Never seen by callers of ``append``; it resolves the doubt itself.
        """

    def read(body: Body, *args: Any) -> Deferred[Any]:
        """Run a body that only reads, on a connection of its own; never waits for writers."""

    def append(messages: Sequence[NewMessage]) -> Deferred[list[AppendOutcome]]:
        """Commit messages with their chat ids and their compliance events, grouped with all that waits.

        Fires after the commit, in commit order; one outcome a message, in the order given.

        Raises:
            StoreUnavailable: Certainly none of them was committed.
        """

    def describe() -> dict[str, Any]:
        """Tell engine, location without secrets, schema version and queue depth, for ``pchatctl status``."""


Random = Callable[[int], bytes]
"""``random(n)`` returns n unpredictable bytes; `secrets.token_bytes` outside tests."""
