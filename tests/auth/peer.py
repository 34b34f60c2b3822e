"""A client made of an independent NTLM implementation (pyspnego), to sign in at ours.

It builds its messages as text and signs them by its own reading of docs/spec/sip-sign-in.md 4.2.
"""

from __future__ import annotations

import base64
import re
import secrets
from collections.abc import Sequence
from typing import Any

from spnego._ntlm_raw import crypto
from spnego._ntlm_raw.messages import Authenticate, Challenge, FileTime, TargetInfo
from twisted.internet.defer import Deferred, succeed
from zope.interface import implementer

from pchat.auth.accounts import Account, ICredentials, SignInPolicy
from pchat.auth.ntlm import nt_hash
from pchat.auth.passwords import ha1
from pchat.sip.message import Request, Response, parse_head

POLICY = SignInPolicy("example.com", "frontend.example.com", "EXAMPLE")
REALM = POLICY.realm
TARGET = POLICY.target_name
#: What the real client keeps of the offered flags.
CLIENT_FLAGS = 0x62988255
SEQUENCE = b"\x64\0\0\0"


def account(
    name: str = "alice", password: str = "secret1", *, disabled: bool = False, number: int = 1
) -> Account:
    """Make an account of example.com with both verifiers."""
    login = f"{name}@example.com"
    return Account(f"sip:{login}", number, nt_hash(password), ha1(login, "example.com", password), disabled)


@implementer(ICredentials)
class Accounts:
    """Credentials in memory; ``waiting`` holds the answers back."""

    def __init__(self, *accounts: Account) -> None:
        self.accounts = list(accounts)
        self.asked: list[tuple[str, str]] = []
        self.waiting: Deferred[None] | None = None

    def lookup(self, user: str, domain: str) -> Deferred[Account | None]:
        """Find an account."""
        self.asked.append((user, domain))
        found = next((one for one in self.accounts if one.uri == f"sip:{user}@{domain}"), None)
        if self.waiting is None:
            return succeed(found)
        answer: Deferred[Account | None] = Deferred()
        self.waiting.addCallback(lambda _ignored: answer.callback(found))
        return answer


def parameters(value: str) -> dict[str, str]:
    """Read a header of the server as a client does."""
    return {
        name: quoted or plain
        for name, quoted, plain in re.findall(r'([\w-]+)=(?:"([^"]*)"|([^\s,"]+))', value)
    }


class Client:
    """One client: its account, its connection's counters and its keys."""

    def __init__(
        self,
        user: str = "alice",
        domain: str = "EXAMPLE",
        password: str = "secret1",
        *,
        uri: str = "sip:alice@example.com",
        version: int | None = 4,
    ) -> None:
        self.user, self.domain, self.password = user, domain, password
        self.uri = uri
        self.version = version
        self.sequence = 0
        self.cnum = 0
        self.opaque = ""
        self.session_key = b""
        self.token = ""

    # -- messages

    def request(
        self, method: str, *headers: str, sign: bool = False, to: str | None = None, cseq: int = 0
    ) -> Request:
        """Write a request and read it back as the server does."""
        self.sequence += 1
        lines = [
            f"{method} sip:example.com SIP/2.0",
            "Via: SIP/2.0/tls 127.0.0.1:42834",
            f"From: <{self.uri}>;tag=4278647422;epid=cf0b98dadeb9",
            f"To: <{to or self.uri}>",
            "Call-ID: E476g323Aa9430iC726mA7CDtD67Db4D49x1649x",
            f"CSeq: {cseq or self.sequence} {method}",
            *headers,
            "Content-Length: 0",
        ]
        return self._finish(lines, sign)  # type: ignore[return-value]  # it begins with a request line

    def response(self, status: int = 200, *, sign: bool = True) -> Response:
        """Answer an INFO of the server."""
        lines = [
            f"SIP/2.0 {status} OK",
            "Via: SIP/2.0/TLS 127.0.0.1:5061;branch=z9hG4bKx",
            "From: <sip:chat@example.com>;tag=ab12",
            f"To: <{self.uri}>;tag=77",
            "Call-ID: E476g323Aa9430iC726mA7CDtD67Db4D49x1649x",
            "CSeq: 12 INFO",
            "Content-Length: 0",
        ]
        return self._finish(lines, sign)  # type: ignore[return-value]  # it begins with a status line

    def _finish(self, lines: list[str], sign: bool) -> Request | Response:
        message = parse_head("\r\n".join(lines).encode())
        if sign:
            lines.insert(-1, f"Authorization: {self.authorization(message)}")
        return parse_head("\r\n".join(lines).encode())

    # -- the handshake

    def first(self) -> Request:
        """REGISTER without credentials."""
        return self.request("REGISTER")

    def second(self) -> Request:
        """REGISTER with an empty token."""
        return self.request("REGISTER", f"Authorization: {self._ntlm('')}")

    def third(self, challenged: Response, *, sign: bool | None = None) -> Request:
        """REGISTER with the answer to a challenge; signed from version 4 on."""
        params = parameters(challenged.headers.get("WWW-Authenticate", ""))
        self.opaque = params["opaque"]
        self.cnum = 0
        self.token = base64.b64encode(self.answer(base64.b64decode(params["gssapi-data"]))).decode()
        value = self._ntlm(self.token, f'opaque="{self.opaque}", ')
        if (self.version or 0) >= 4 if sign is None else sign:
            unsigned = self.request("REGISTER")
            self.sequence -= 1
            value += ", " + self.signature(unsigned)
        return self.request("REGISTER", f"Authorization: {value}")

    def _ntlm(self, token: str, opaque: str = "") -> str:
        version = "" if self.version is None else f", version={self.version}"
        return (
            f'NTLM qop="auth", {opaque}realm="{REALM}", targetname="{TARGET}", gssapi-data="{token}"{version}'
        )

    def answer(
        self, challenge_bytes: bytes, *, info: TargetInfo | None = None, flags: int = CLIENT_FLAGS
    ) -> bytes:
        """Build AUTHENTICATE from CHALLENGE."""
        challenge = Challenge.unpack(challenge_bytes)
        target_info = info or challenge.target_info
        assert target_info is not None
        key = crypto.ntowfv2(self.user, crypto.ntowfv1(self.password), self.domain)
        nt, lm, base_key = crypto.compute_response_v2(
            key,
            challenge.server_challenge,
            secrets.token_bytes(8),
            FileTime.now(),
            target_info,
        )
        self.session_key = secrets.token_bytes(16)
        return bytes(
            Authenticate(
                flags=flags,
                lm_challenge_response=lm,
                nt_challenge_response=nt,
                domain_name=self.domain,
                username=self.user,
                workstation="VM",
                encrypted_session_key=crypto.rc4k(base_key, self.session_key),
            ).pack()
        )

    # -- signatures

    def authorization(self, message: Request | Response) -> str:
        """Sign a message as the real client writes it."""
        return (
            f'NTLM qop="auth", opaque="{self.opaque}", realm="{REALM}", targetname="{TARGET}", '
            + self.signature(message)
        )

    def signature(self, message: Request | Response, *, crand: str = "68f7ec32") -> str:
        """Return crand, cnum and response for the next cnum."""
        self.cnum += 1
        text = self.text(message, crand, str(self.cnum))
        return f'crand="{crand}", cnum="{self.cnum}", response="{self.mac(text, "initiate")}"'

    def accepts(self, message: Request | Response) -> bool:
        """Check the server's signature on a message of it."""
        value = message.headers.get("Authentication-Info", "")
        params = parameters(value)
        text = self.text(message, params["srand"], params["snum"])
        return self.mac(text, "accept") == params["rspauth"] and params["realm"] == REALM

    def mac(self, text: str, usage: str) -> str:
        """Compute NTLM's checksum the long way, with a cipher for each message."""
        seal = crypto.sealkey(CLIENT_FLAGS, self.session_key, usage)
        sign = crypto.signkey(CLIENT_FLAGS, self.session_key, usage)
        checksum = crypto.hmac_md5(sign, SEQUENCE + text.encode())[:8]
        masked = crypto.rc4k(crypto.md5(seal + SEQUENCE), checksum)
        return (b"\x01\0\0\0" + masked + SEQUENCE).hex().upper()

    def text(self, message: Request | Response, rand: str, number: str) -> str:
        """Build the signed text by the table of the specification."""
        lines = {name.lower(): value for name, value in message.headers}
        uri = {name: re.search("<(.*?)>", lines[name]) for name in ("from", "to")}
        tag = {name: re.search(";tag=([^;]*)", lines[name]) for name in ("from", "to")}
        sequence, method = lines["cseq"].split()
        values: list[Any] = ["NTLM", rand, number, REALM, TARGET, lines["call-id"], sequence, method]
        values += [uri["from"] and uri["from"][1], (tag["from"] and tag["from"][1]) or ""]
        long = self.version is not None and self.version >= 3
        values += [uri["to"] and uri["to"][1]] if long else []
        values += [(tag["to"] and tag["to"][1]) or ""]
        values += self._identities(lines) if long else []
        values += [lines.get("expires", "")]
        values += [message.status] if isinstance(message, Response) else []
        return "".join(f"<{value}>" for value in values)

    @staticmethod
    def _identities(lines: dict[str, str]) -> Sequence[str]:
        asserted = lines.get("p-asserted-identity") or lines.get("p-preferred-identity") or ""
        sip, tel = (re.search(rf"<({scheme}:.*?)>", asserted) for scheme in ("sip", "tel"))
        return [sip[1] if sip else "", tel[1] if tel else ""]
