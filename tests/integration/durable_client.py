"""Clients that talk without pause and remember every answer, for servers that die under them.

Reading order: `Ledger` (what they remember), `Talker` (one user's connection), `Crowd` (all of them in one
loop).
"""

from __future__ import annotations

import re
import selectors
import time
from collections.abc import Callable, Generator, Iterable, Sequence
from html import unescape

from attrs import define, field

from bench.load.wire import POST_END, post_start
from pchat.client import wire
from pchat.client.wire import Message
from tests.integration.durable_channel import Channel, Place

WAIT_SECONDS = 30.0
"""Limit of every wait; reached only when something is broken."""

_LIVE = re.compile(r'(?s)<grpchat [^>]*?chatId="(\d+)".*?<chat>(.*?)</chat>')
_READ = re.compile(r'(?s)<msg [^>]*?chatId="(\d+)".*?<chat>(.*?)</chat>')

Script = Generator["bytes | str", Message, None]
"""Yields a request and is sent its final answer, or yields a text and is sent an INFO that holds it."""


class TalkFailed(AssertionError):
    """A client got something that no server may say."""


@define
class Ledger:
    """What was said, and what became of it as far as the clients were told.

    Args:
        sent: Author by text; every text is said once.
        promised: Texts answered with 200.
        refused: Status by text of other final answers.
        seen: Text by chat id, as delivered live.
        pages: Replies to questions for history: chat ids and texts.
        requests: By (Call-ID, CSeq): the text of the post that it carried.
    """

    sent: dict[str, str] = field(factory=dict)
    promised: set[str] = field(factory=set)
    refused: dict[str, int] = field(factory=dict)
    seen: dict[int, str] = field(factory=dict)
    pages: list[list[tuple[int, str]]] = field(factory=list)
    requests: dict[tuple[str, int], str] = field(factory=dict)

    def see(self, chat_id: int, text: str) -> None:
        """Note a delivery; whoever gets a copy must get the same."""
        if self.seen.setdefault(chat_id, text) != text:
            raise TalkFailed(f"chat id {chat_id} is {self.seen[chat_id]!r} to one and {text!r} to another")

    @property
    def unanswered(self) -> set[str]:
        """Texts that nobody was told anything about."""
        return self.sent.keys() - self.promised - self.refused.keys()


class Talker:
    """A user in the room: signs in without a scheme, joins, and talks.

    Args:
        user: ``user@domain``.
        place: Where.
        ledger: Is told everything.
        texts: Gives the next text to say.

    Raises:
        OSError: Nobody listens, or not long enough.
    """

    def __init__(self, user: str, place: Place, ledger: Ledger, texts: Callable[[], str]) -> None:
        self.channel = Channel(place)
        self.user = user
        self.joined = False
        self.window = 0
        """Posts to keep on their way; 0: silent. A refusal makes silent."""
        self.outstanding: dict[int, str] = {}
        self._uri = f"sip:{user}"
        self._place = place
        self._ledger = ledger
        self._texts = texts
        self._rest = b""
        self._script: Script | None = None
        self._awaited: tuple[int, str] | str | None = None
        self._early: Message | None = None
        self._cseq = 0
        self._call_id = f"{self.channel.local}.register"
        self._to = f"<{self._uri}>"
        self._post_start = post_start(place.room, self._uri).removesuffix(b"p")
        self._last_seen = 0

    # -- scripts

    def start(self, script: Script) -> None:
        """Begin a script."""
        self._script = script
        self._advance(None)

    @property
    def busy(self) -> bool:
        """Whether a script is still running on a living connection."""
        return self._script is not None and not self.channel.closed

    def _advance(self, message: Message | None) -> None:
        assert self._script is not None
        try:
            step = next(self._script) if message is None else self._script.send(message)
        except StopIteration:
            self._script = self._awaited = None
            return
        if isinstance(step, str):
            self._awaited = step
            if self._early is not None and step in self._early.body:
                early, self._early = self._early, None
                self._advance(early)
        else:
            self._awaited = Message.parse(step).cseq
            self.channel.send(step)

    def enter(self) -> Script:
        """Sign in and join the room."""
        answer = yield self._request("REGISTER", f"sip:{self.user.partition('@')[2]}")
        self._expect_ok(answer)
        self._call_id, self._to = f"{self.channel.local}.chat", f"<{self._place.pool}>"
        answer = yield self._request("INVITE", self._place.pool)
        self._expect_ok(answer)
        self._to = answer.headers["to"]
        self.channel.send(self._request("ACK", self._place.pool))
        domain, _, guid = self._place.room.removeprefix("ma-chan://").partition("/")
        chanid = f'<chanid key="0" domain="{domain}" value="{guid}"/>'
        answer = yield self._info(wire.command(1, "join", chanid))
        self._expect_ok(answer)
        reply = yield "rpl:join"
        if '<resp code="200">' not in reply.body:
            raise TalkFailed(f"{self.user} may not join: {reply.body}")
        self.joined = True

    def read_history(self, count: int) -> Script:
        """Ask for the last messages and note the page."""
        query = f'<chanib uri="{self._place.room}"/><bcq><last cnt="{count}"/></bcq>'
        answer = yield self._info(wire.command(2, "bccontext", query))
        self._expect_ok(answer)
        reply = yield "rpl:bccontext"
        if '<resp code="200">' not in reply.body:
            raise TalkFailed(f"{self.user} may not read: {reply.body}")
        page = [(int(chat_id), unescape(text)) for chat_id, text in _READ.findall(reply.body)]
        self._ledger.pages.append(page)

    def _expect_ok(self, answer: Message) -> None:
        if answer.status != 200:
            raise TalkFailed(f"{self.user}: {answer.first_line} {answer.headers}")

    def _info(self, body: bytes) -> bytes:
        return self._request("INFO", self._place.pool, body)

    def _request(self, method: str, uri: str, body: bytes = b"") -> bytes:
        if method != "ACK":
            self._cseq += 1
        headers = {
            "Via": f"SIP/2.0/tls {self.channel.local};branch=z9hG4bK{self._cseq}x{self.channel.local}",
            "From": f"<{self._uri}>;tag=1;epid=durable",
            "To": self._to,
            "Call-ID": self._call_id,
            "CSeq": f"{self._cseq} {method}",
            "Max-Forwards": "70",
            "Contact": f'<sip:{self.channel.local}>;+sip.instance="<urn:uuid:{self.user}>"',
        }
        return wire.request(method, uri, headers, body)

    # -- talking

    def talk(self, window: int) -> None:
        """Keep so many posts on their way from now on."""
        self.window = window
        self._fill()

    def _fill(self) -> None:
        while self.joined and len(self.outstanding) < self.window:
            text = self._texts()
            request = self._info(self._post_start + text.encode() + POST_END)
            self.outstanding[self._cseq] = text
            self._ledger.sent[text] = self._uri
            self._ledger.requests[self._call_id, self._cseq] = text
            self.channel.send(request)

    def _answered(self, answer: Message) -> None:
        text = self.outstanding.pop(answer.cseq[0])
        if answer.status == 200:
            self._ledger.promised.add(text)
        else:
            self._ledger.refused[text] = answer.status
            self.window = 0

    # -- bytes in

    def receive(self) -> None:
        """Deal with every whole message that came, then talk on."""
        data = self._rest + self.channel.receive()
        position = 0
        while (end := data.find(b"\r\n\r\n", position)) >= 0:
            length = re.search(rb"\r\nContent-Length: (\d+)", data[position : end + 2])
            stop = end + 4 + (int(length[1]) if length else 0)
            if stop > len(data):
                break
            self._take(Message.parse(data[position:stop]))
            position = stop
        self._rest = data[position:]
        if not self.channel.closed:
            self._fill()

    def _take(self, message: Message) -> None:
        if not message.status:
            self._take_request(message)
        elif message.status < 200:
            pass
        elif message.cseq == self._awaited:
            self._advance(message)
        elif message.cseq[1] == "INFO" and message.cseq[0] in self.outstanding:
            self._answered(message)
        else:
            raise TalkFailed(f"{self.user} asked nothing that {message.first_line} {message.headers} answers")

    def _take_request(self, message: Message) -> None:
        lines = [
            f"{name}: {message.headers[name.lower()]}" for name in ("Via", "From", "To", "Call-ID", "CSeq")
        ]
        self.channel.send("\r\n".join(["SIP/2.0 200 OK", *lines, "Content-Length: 0\r\n\r\n"]).encode())
        if not message.first_line.startswith("INFO "):
            return
        if "rpl:" in message.body:
            if isinstance(self._awaited, str) and self._awaited in message.body:
                self._advance(message)
            else:
                self._early = message
        elif live := _LIVE.search(message.body):
            chat_id = int(live[1])
            if self._last_seen and chat_id != self._last_seen + 1:
                raise TalkFailed(f"{self.user} got chat id {chat_id} after {self._last_seen}")
            self._last_seen = chat_id
            self._ledger.see(chat_id, unescape(live[2]))


class Crowd:
    """Several talkers in one loop.

    Args:
        elsewhere: Tells more, for failures: the end of the server's log.
    """

    def __init__(self, elsewhere: Callable[[], str]) -> None:
        self.talkers: list[Talker] = []
        self._selector = selectors.DefaultSelector()
        self._elsewhere = elsewhere

    def add(self, talker: Talker) -> None:
        """Begin to read from a talker's connection."""
        self.talkers.append(talker)
        self._selector.register(talker.channel.socket, selectors.EVENT_READ, talker)

    def enter(self, users: Sequence[str], make: Callable[[str], Talker]) -> None:
        """Let users come, until all are in the room or nobody is there to let them in."""
        for user in users:
            try:
                talker = make(user)
            except OSError:
                return
            self.add(talker)
            talker.start(talker.enter())
        self.finish(self.talkers)

    def turn(self, timeout: float) -> bool:
        """Deal with what is ready; return whether anything was."""
        for talker in self.talkers:
            if not talker.channel.closed:
                events = selectors.EVENT_READ | (selectors.EVENT_WRITE * talker.channel.has_unsent)
                self._selector.modify(talker.channel.socket, events, talker)
        ready = self._selector.select(timeout)
        for key, events in ready:
            talker = key.data
            if events & selectors.EVENT_WRITE:
                talker.channel.flush()
            if events & selectors.EVENT_READ:
                talker.receive()
            if talker.channel.closed:
                self._selector.unregister(talker.channel.socket)
        return bool(ready)

    def run_until(self, done: Callable[[], bool], limit: float = WAIT_SECONDS) -> None:
        """Run until something is done, which is looked at after each turn.

        Raises:
            TalkFailed: It is not done in time.
        """
        deadline = time.monotonic() + limit
        while not done():
            left = deadline - time.monotonic()
            if left <= 0 or (not self._selector.get_map() and not done()):
                raise TalkFailed(f"not done within {limit} s\n{self._elsewhere()}")
            self.turn(left)

    def finish(self, talkers: Iterable[Talker]) -> None:
        """Run until the scripts of these talkers are over, or their connections."""
        waiting = list(talkers)
        self.run_until(lambda: not any(talker.busy for talker in waiting))

    def run_out(self) -> None:
        """Run until the server has closed all connections, and all it had sent is read."""
        self.run_until(lambda: all(talker.channel.closed for talker in self.talkers))

    def close(self) -> None:
        """Close all connections."""
        self._selector.close()
        for talker in self.talkers:
            talker.channel.socket.close()
