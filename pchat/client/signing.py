"""A signed session from the client's side."""

from __future__ import annotations

from pchat.client.ntlm import PreparedSeal, Seal
from pchat.client.wire import Message, parameters
from pchat.errors import OurError

RAND = "10adc11e"
"""Any text will do; a constant one saves time. Source: docs/spec/sip-sign-in.md section 4.2."""


class SignatureWrong(Exception):
    """The server's signature is missing or does not fit."""


class Session:
    """What a client knows after the NTLM handshake: it signs what it sends, and can check what it gets.

    Args:
        realm: As in the challenge.
        target_name: As in the challenge.
        opaque: As in the challenge.
        key: Exported session key.

    Source: docs/spec/sip-sign-in.md section 4.2, version 4.
    """

    def __init__(self, realm: str, target_name: str, opaque: str, key: bytes) -> None:
        self._ours = Seal(key, "client-to-server")
        self._theirs = Seal(key, "server-to-client")
        self._place = f"<{realm}><{target_name}>"
        self._start = (
            f'NTLM qop="auth", opaque="{opaque}", realm="{realm}", targetname="{target_name}", '
            f'crand="{RAND}", cnum="'
        )
        self._count = 0
        # for answers in the dialog
        self._line_start = f"Authorization: {self._start}".encode()
        self._prepared: PreparedSeal | None = None
        self._before_cseq = b""
        self._after_cseq = b""

    def authorization(self, message: Message, token: str = "") -> str:
        """Return the Authorization header for a message of ours."""
        self._count += 1
        text = f"<NTLM><{RAND}><{self._count}>{self._place}{signed_part(message)}"
        signature = self._ours.sign(text.encode()).decode()
        return f'{self._start}{self._count}", response="{signature}"{token}'

    def prepare_answers(self, info: Message) -> None:
        """Learn from one INFO of a dialog what the answers to all of them have in common."""
        from_uri, from_tag, to_uri, to_tag = info.parties
        self._prepared = self._ours.prepare(f"<NTLM><{RAND}><".encode())
        self._before_cseq = f">{self._place}<{info.headers['call-id']}><".encode()
        self._after_cseq = f"><INFO><{from_uri}><{from_tag}><{to_uri}><{to_tag}><><><><200>".encode()

    def answer_line(self, cseq: bytes) -> bytes:
        """Return the Authorization line of a 200 to the INFO with this number."""
        self._count += 1
        count = b"%d" % self._count
        if self._prepared is None:
            raise OurError("prepare_answers comes first")
        signature = self._prepared.sign(count + self._before_cseq + cseq + self._after_cseq)
        return self._line_start + count + b'", response="' + signature + b'"\r\n'

    def verify(self, message: Message) -> None:
        """Check a message of the server.

        Raises:
            SignatureWrong: It is unsigned or badly signed.
        """
        given = parameters(message.headers.get("authentication-info", "").partition(" ")[2])
        text = f"<NTLM><{given.get('srand')}><{given.get('snum')}>{self._place}{signed_part(message)}"
        expected = self._theirs.sign(text.encode()).decode()
        if given.get("rspauth", "").lower() != expected:
            raise SignatureWrong(f"{message.first_line} {message.headers}")


def signed_part(message: Message) -> str:
    """Return the part of the signed text that comes from the message itself."""
    number, method = message.cseq
    from_uri, from_tag, to_uri, to_tag = message.parties
    status = f"<{message.status}>" if message.status else ""
    return (
        f"<{message.headers['call-id']}><{number}><{method}><{from_uri}><{from_tag}><{to_uri}><{to_tag}>"
        f"<><><{message.headers.get('expires', '')}>{status}"
    )
