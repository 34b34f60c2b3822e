"""How long XCCOS bodies take to read and to write: ``python -m bench.xccos_parse``; prints microseconds."""

from __future__ import annotations

import timeit
from collections.abc import Callable

from lxml import etree

from pchat.errors import SipRefused
from pchat.xccos import writer
from pchat.xccos.codes import ResponseCode
from pchat.xccos.parser import Command, parse_envelope
from pchat.xccos.reading import read_command

ROOM = "ma-chan://example.com/6d042d7b-50d1-4117-9bf0-5a8c0b11e842"
WORDS = "text of a usual length, say sixty characters or so, like this"
ROOT = '<xccos ver="1" envid="139132350" xmlns="urn:parlano:xml:ns:xccos">'
POST = (
    f'{ROOT}<grpchat id="grpchat" seqid="1" chanUri="{ROOM}" author="sip:alice@example.com"'
    f' ts="2026-11-22T06:29:50Z"><chat>{WORDS}</chat></grpchat></xccos>'
).encode()
LONG_POST = POST.replace(WORDS.encode(), (WORDS + " &amp; öäü\r\n").encode() * 1000)
COMMAND = (
    f'{ROOT}<cmd id="cmd:bccontext" seqid="1"><data><chanib uri="{ROOM}"/>'
    '<bcq><last cnt="25"/></bcq></data></cmd></xccos>'
).encode()
BULK = (
    f'{ROOT}<cmd id="cmd:bjoin" seqid="1"><data>'
    + "".join(f'<chanid key="{n}" domain="example.com" value="room-{n}"/>' for n in range(200))
    + "</data></cmd></xccos>"
).encode()
HOSTILE = {
    "hostile: 250 levels": b"<xccos>" + b"<a>" * 249 + b"</a>" * 249 + b"</xccos>",
    "hostile: 60 000 elements": b"<xccos>" + b"<a/>" * 60_000 + b"</xccos>",
    "hostile: 25 000 attributes": b"<xccos><a %s/></xccos>" % b" ".join(b'a%x=""' % n for n in range(25_000)),
    "hostile: 30 000 comments": b"<!---->" * 30_000 + b"<!DOCTYPE a><xccos><cmd/></xccos>",
    "hostile: 9 000 namespaces": b"<xccos>%s</xccos>"
    % b"".join(b"<a xmlns='u:%d'/>" % n for n in range(9_000)),
}  # fmt: skip
MESSAGE = writer.MessageBlock(ROOM, "sip:alice@example.com", "Alice", "2026-11-22T06:29:50Z", 7, False, WORDS)
ROOM_BLOCK = writer.RoomBlock(ROOM, "Lobby", "Everyone", "ma-cat://example.com/c", "NORMAL", "OPEN")


def _measure(name: str, call: Callable[[], object], number: int = 5_000) -> None:
    call()
    best = min(timeit.repeat(call, number=number, repeat=5)) / number
    print(f"{name:40} {best * 1e6:12.2f} us")


def _refused(body: bytes) -> Callable[[], object]:
    def call() -> object:
        try:
            return parse_envelope(body)
        except SipRefused as error:
            return error

    return call


def _read(body: bytes) -> Callable[[], object]:
    def call() -> object:
        item = parse_envelope(body).items[0]
        assert isinstance(item, Command)
        return read_command(item)

    return call


def main() -> None:
    """Print one line for each measured thing, the best of five runs."""
    print(
        f"lxml {'.'.join(map(str, etree.LXML_VERSION))}, libxml2 {'.'.join(map(str, etree.LIBXML_VERSION))}"
    )
    _measure("parse small post", lambda: parse_envelope(POST))
    _measure("  of it lxml alone, unhardened", lambda: etree.fromstring(POST))
    _measure(f"parse post of {len(LONG_POST)} bytes", lambda: parse_envelope(LONG_POST), 200)
    _measure("parse and read bccontext", _read(COMMAND))
    _measure("parse and read bjoin of 200 rooms", _read(BULK), 200)
    _measure("write grpchat", lambda: writer.grpchat("7962449779256945056", MESSAGE))
    _measure("write room block", lambda: writer.room_block(ROOM_BLOCK, aibs=[(3456, (0, 1, 2))]))
    rooms = [ROOM_BLOCK] * 1000
    asked = Command("chansrch", "1", "139132352")

    def listing() -> bytes:
        return writer.reply("1", asked, ResponseCode.SUCCESS_OK, "".join(map(writer.room_block, rooms)))

    _measure("write chansrch reply of 1000 rooms", listing, 20)
    for name, body in HOSTILE.items():
        _measure(f"{name} ({len(body)} bytes)", _refused(body), 5)


if __name__ == "__main__":
    main()
