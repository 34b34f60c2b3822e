"""Bodies as clients send them; the forms are those of docs/spec/xccos.md and sip-sign-in.md section 7."""

from __future__ import annotations

from pchat.xccos.parser import Command, Post, parse_envelope

GUID = "6d042d7b-50d1-4117-9bf0-5a8c0b11e842"
OTHER_GUID = "094f5a4a-0f0e-4f7a-9a43-2f6d4c1b7a55"
ROOM = f"ma-chan://example.com/{GUID}"
ENVID = "139132350"


def wrap(content: str) -> bytes:
    """Put elements into an envelope of pidgin-sipe's form."""
    return f'<xccos ver="1" envid="{ENVID}" xmlns="urn:parlano:xml:ns:xccos">{content}</xccos>'.encode()


def command_body(name: str, data: str = "<data/>") -> bytes:
    """Write a command in pidgin-sipe's form."""
    return wrap(f'<cmd id="cmd:{name}" seqid="1">{data}</cmd>')


def command(name: str, data: str = "<data/>") -> Command:
    """Parse a command written in pidgin-sipe's form."""
    (item,) = parse_envelope(command_body(name, data)).items
    assert isinstance(item, Command)
    return item


def post_body(chat: str = "<chat>hello</chat>", attributes: str = "") -> bytes:
    """Write a post in pidgin-sipe's form."""
    return wrap(
        f'<grpchat id="grpchat" seqid="1" chanUri="{ROOM}" author="sip:alice@example.com" '
        f'ts="2026-11-22T06:29:50Z"{attributes}>{chat}</grpchat>'
    )


def post(body: bytes) -> Post:
    """Parse a body that holds one post."""
    (item,) = parse_envelope(body).items
    assert isinstance(item, Post)
    return item
