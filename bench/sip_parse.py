"""Measure what the SIP parser costs: ``python -m bench.sip_parse``; microseconds, best of several."""

from __future__ import annotations

import sys
import timeit
from collections.abc import Callable

from twisted.internet.task import Clock

from pchat.sip.headers import Address, AuthParams
from pchat.sip.message import Request, Response, parse_head
from pchat.sip.stream import MessageStream
from pchat.sip.transaction import ClientTransactions

#: A signed 200 to an INFO with ten header fields, as pidgin-sipe sends it.
OK = """\
SIP/2.0 200 OK
Via: SIP/2.0/TLS 127.0.0.1:5061;branch=z9hG4bK53038A8258FB.7
From: <sip:chat@example.com>;tag=53038A8258FB
To: <sip:alice@example.com>;tag=4278647422;epid=cf0b98dadeb9
Call-ID: E476g323Aa9430iC726mA7CDtD67Db4D49x1649x
CSeq: 7 INFO
User-Agent: Purple/2.14.12 Sipe/1.25.0 (linux-x86_64)
Authorization: NTLM qop="auth", opaque="A57760B4", realm="SIP Communications Service", \
targetname="frontend.example.com", crand="68f7ec32", cnum="17", response="0100000097304E35672F2C7864000000"
Supported: msrtc-event-categories
Contact: <sip:alice@example.com;opaque=user:epid:cf0b98dadeb9;gruu>
Content-Length: 0

""".replace("\n", "\r\n").encode()
INFO = (
    OK.replace(b"SIP/2.0 200 OK", b"INFO sip:chat@example.com SIP/2.0")
    .replace(b"Content-Length: 0", b"Content-Type: text/plain\r\nContent-Length: 400")
    .replace(
        b"chat@example.com>;tag=53038A8258FB\r\nTo: <sip:alice", b"alice@example.com>;tag=1\r\nTo: <sip:chat"
    )
    + b"x" * 400
)
ROUNDS = 5
COUNT = 20_000


class Receiver:
    """Does nothing with a response."""

    def response_received(self, response: Response, cseq: int) -> None:
        """Take it."""


def report(name: str, call: Callable[[], object], limit: float | None = None, count: int = COUNT) -> bool:
    """Print the best time of a call, and tell whether it is within its limit in microseconds."""
    best = min(timeit.repeat(call, number=count, repeat=ROUNDS)) / count * 1e6
    print(f"{name:55} {best:7.2f} us" + (f"   (limit {limit:g})" if limit else ""))
    return limit is None or best <= limit


def measure_transactions(response: Response) -> bool:
    """Measure finding who waits for a response; the registration is taken off."""
    transactions = ClientTransactions(Clock())
    receiver = Receiver()
    call_id, (number, method) = response.call_id, response.cseq

    def start() -> None:
        transactions.start(call_id, number, method, receiver)
        transactions._waiting.clear()

    def start_and_receive() -> None:
        transactions.start(call_id, number, method, receiver)
        transactions.receive(response)

    alone = min(timeit.repeat(start, number=COUNT, repeat=ROUNDS))
    both = min(timeit.repeat(start_and_receive, number=COUNT, repeat=ROUNDS))
    cost = (both - alone) / COUNT * 1e6
    print(f"{'ClientTransactions.start':55} {alone / COUNT * 1e6:7.2f} us")
    print(f"{'ClientTransactions.receive':55} {cost:7.2f} us   (limit 2)")
    return cost <= 2


def main() -> int:
    """Measure everything; exit status 1 if a limit is exceeded."""
    stream = MessageStream()
    ok_head = OK[:-4]
    info_head = INFO.partition(b"\r\n\r\n")[0]
    (response,) = stream.receive(OK)
    (request,) = stream.receive(INFO)
    if not isinstance(response, Response) or not isinstance(request, Request):
        raise TypeError("the messages measured are not what they should be")
    from_ = request.headers.get("From", "")
    authorization = request.headers.get("Authorization", "")
    within = [
        report("parse_head, 200 with 10 header fields", lambda: parse_head(ok_head), 10),
        report("MessageStream.receive, the same, checked", lambda: list(stream.receive(OK))),
        report("parse_head, INFO", lambda: parse_head(info_head)),
        report("MessageStream.receive, INFO with 400 bytes, checked", lambda: list(stream.receive(INFO))),
        report("Address.parse", lambda: Address.parse(from_)),
        report("AuthParams.parse, NTLM with 7 parameters", lambda: AuthParams.parse(authorization)),
        report("Request.response and to_bytes", lambda: request.response(200).to_bytes()),
        measure_transactions(response),
    ]
    return 0 if all(within) else 1


if __name__ == "__main__":
    sys.exit(main())
