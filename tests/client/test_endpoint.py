"""The endpoint with which ``pchatctl test-message`` tries the service."""

from __future__ import annotations

import base64
import contextlib
import socket
import struct
from unittest import mock

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from pchat.auth.ntlm import Av
from pchat.client.endpoint import Endpoint, EndpointFailed, Place


class Promptness(SynchronousTestCase):
    """What it measures is the server's time."""

    def test_sends_at_once(self) -> None:
        """The kernel does not hold back a request until an earlier answer was acknowledged (RFC 896)."""
        connections: list[socket.socket] = []
        connect = socket.create_connection

        def remember(address: tuple[str, int], timeout: float) -> socket.socket:
            connections.append(connect(address, timeout=timeout))
            return connections[-1]

        self.patch(socket, "create_connection", remember)
        with socket.create_server(("127.0.0.1", 0)) as listener:
            place = Place("127.0.0.1", listener.getsockname()[1], None, "localhost")
            with Endpoint(place, "alice@example.com", seconds=10.0):
                self.assertTrue(connections[0].getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))


class Deaf:
    """A socket to a server that hears nothing, says what it was going to say, and hangs up.

    Args:
        data: All that it says.
    """

    def __init__(self, data: bytes) -> None:
        self._data = [data]

    def recv(self, size: int) -> bytes:
        """Give everything at once, then the end."""
        return self._data.pop() if self._data else b""

    def getsockname(self) -> tuple[str, int]:
        """Be somewhere."""
        return "192.0.2.7", 49152

    def sendall(self, data: bytes) -> None:
        """Take it."""

    def settimeout(self, seconds: float) -> None:
        """Never wait."""

    def setsockopt(self, *option: int) -> None:
        """Have none."""

    def close(self) -> None:
        """End."""


def challenge(target_info: bytes) -> str:
    """Make an NTLM CHALLENGE, as far as a client reads it."""
    head = b"NTLMSSP\0" + bytes(32) + struct.pack("<HHI", len(target_info), len(target_info), 48)
    return base64.b64encode(head + target_info).decode()


GOOD_CHALLENGE = challenge(struct.pack("<HHHH", Av.FLAGS, 0, Av.END, 0))
#: Lines of messages, right ones more often than others, so that a conversation goes on for a while.
FIRST_LINES = st.sampled_from(
    (
        *("SIP/2.0 200 OK", "SIP/2.0 401 Unauthorized", "INFO sip:x SIP/2.0", "SIP/2.0 403"),
        *("SIP/2.0 ", "SIP/2.0 x", "SIP/2.0 -20", "SIP/2.0 \u0662\u0660\u0660", "SIP/2.0 0 x", "SIP/2.0", ""),
    )
)
NTLM = 'WWW-Authenticate: NTLM realm="r", targetname="t"'
HEADERS = {
    "Via": ("v",),
    "From": ("<sip:a@b>;tag=1", "<sip:a@b>;tag=1", "x", "<>", ""),
    "To": ("<sip:a@b>;tag=1", "<sip:a@b>;tag=1", "x;tag="),
    "Call-ID": ("1",),
    "CSeq": (*[f"{number} {method}" for number in (1, 2, 3) for method in ("REGISTER", "INVITE", "INFO")],
             "x INVITE", "1", "9" * 5000 + " INFO", "\u0661 INVITE", "-1 INVITE"),
}  # fmt: skip
OTHERS = (
    *(NTLM, f'{NTLM}, opaque="o", gssapi-data="{GOOD_CHALLENGE}"', f'{NTLM}, opaque="o", gssapi-data="AAAA"'),
    *(f'{NTLM}, opaque="o", gssapi-data="="', f'{NTLM}, opaque="o", gssapi-data="{challenge(b"abcdef")}"'),
    *("Content-Length: 5", "Content-Length: x", "Authentication-Info: NTLM rspauth", "no header"),
)
BODIES = (b"", b"12345", b"\xff\xfe345", b'<rpl <commandid seqid="1" envid="1"<resp code="9">\n</resp>')


@st.composite
def messages(draw: st.DrawFn) -> bytes:
    """Make a message of a server, whole or with a header that is missing or wrong."""
    lines = [draw(FIRST_LINES)]
    left_out = draw(st.none() | st.none() | st.sampled_from(tuple(HEADERS)))
    lines += [
        f"{name}: {draw(st.sampled_from(values))}" for name, values in HEADERS.items() if name != left_out
    ]
    lines += draw(st.lists(st.sampled_from(OTHERS), max_size=2))
    body = draw(st.sampled_from(BODIES))
    if draw(st.booleans()):
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "\r\n"]).encode() + body


class Nonsense(SynchronousTestCase):
    """A server that sends whatever it likes."""

    def endpoint(self, data: bytes) -> Endpoint:
        """Connect to a server that says this."""
        with mock.patch.object(socket, "create_connection", return_value=Deaf(data)):
            return Endpoint(Place("192.0.2.1", 5060, None, "x"), "alice@example.com", 10.0)

    def failure(self, data: bytes) -> str:
        """Sign in and talk to a server; return what is told if that fails."""
        try:
            with self.endpoint(data) as endpoint:
                with contextlib.suppress(EndpointFailed):
                    endpoint.sign_in("correct horse 1")
                endpoint.open_chat("sip:pool@example.com")
                endpoint.command("join", "")
        except EndpointFailed as error:
            return str(error)
        return ""

    @given(st.lists(messages() | st.binary(max_size=99), max_size=6).map(b"".join))
    def test_whatever_comes(self, data: bytes) -> None:
        """It is told in one line what is wrong; nothing else is ever raised."""
        self.assertLessEqual(len(self.failure(data).splitlines()), 1)

    def test_what_is_wrong(self) -> None:
        """The line says what the server sent."""
        for data, told in (
            (b"SIP/2.0 x\r\n\r\n", "no status"),
            (b"SIP/2.0 200 \xff\r\n\r\n", "not UTF-8"),
            (b"SIP/2.0 200 OK\r\nVia: v\r\n\r\n", "without from"),
        ):
            self.assertIn(told, self.sign_in_failure(data))

    def test_no_challenge(self) -> None:
        """Where the challenge of NTLM should be is something else."""
        rest = "Via: v\r\nFrom: <a>\r\nTo: <b>\r\nCall-ID: 1\r\nCSeq: {} REGISTER\r\n\r\n"
        for bad in ("AAAA", "*", challenge(b""), challenge(b"\x01\0\xff\0")):
            answers = [NTLM, f'{NTLM}, opaque="o", gssapi-data="{bad}"']
            data = "".join(
                f"SIP/2.0 401 No\r\n{answer}\r\n{rest.format(number)}"
                for number, answer in enumerate(answers, start=1)
            )
            self.assertIn("no NTLM challenge", self.sign_in_failure(data.encode()))

    def sign_in_failure(self, data: bytes) -> str:
        """Sign in to a server, which must fail; return what is told."""
        endpoint = self.endpoint(data)
        with self.assertRaises(EndpointFailed) as caught:
            endpoint.sign_in("correct horse 1")
        return str(caught.exception)
