"""The handshake of one connection: offers, challenges and proofs, for NTLM and digest.

Source: MS-SIPAE section 3.3; docs/spec/sip-sign-in.md sections 4.1 and 4.3.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
from enum import Enum

from attrs import field, frozen
from twisted.internet.interfaces import IReactorTime

from pchat.auth import ntlm
from pchat.auth.accounts import Account, SignInPolicy
from pchat.auth.digest import DigestAnswer, DigestRefused
from pchat.auth.proving import PasswordCheck
from pchat.auth.signature import Association, SignatureRefused
from pchat.auth.verdicts import Challenged
from pchat.errors import SipRefused
from pchat.interfaces import Random
from pchat.sip.headers import AuthParams
from pchat.sip.message import Request


class Stage(Enum):
    """Where the handshake is; a new one may begin in any session."""

    QUIET = "no challenge is out"
    CHALLENGED = "a challenge waits for its answer"
    CHECKING = "an answer is being checked"


class Step(Enum):
    """What happens in a handshake."""

    OFFER = "the peer is told which scheme to use"
    CHALLENGE = "the peer gets a challenge"
    ANSWER = "the peer answers the challenge, which is spent by that"
    DECIDE = "the answer was right or wrong"


#: A step that is not here is refused: an answer without a challenge, anything while an answer is checked.
HANDSHAKE = {
    (Stage.QUIET, Step.OFFER): Stage.QUIET,
    (Stage.QUIET, Step.CHALLENGE): Stage.CHALLENGED,
    (Stage.CHALLENGED, Step.OFFER): Stage.QUIET,
    (Stage.CHALLENGED, Step.CHALLENGE): Stage.CHALLENGED,
    (Stage.CHALLENGED, Step.ANSWER): Stage.CHECKING,
    (Stage.CHECKING, Step.DECIDE): Stage.QUIET,
}

#: A program answers at once; a person who is asked for the password takes a little.
CHALLENGE_SECONDS = 60.0
#: Three whole handshakes and some: after that a peer is only making work.
MAX_STEPS = 12
#: What we offer; a client may choose a lower version, which signs fewer fields.
NEWEST_VERSION = 4
#: Version from which the last REGISTER of the handshake is signed already.
_SIGNED_REGISTER = 4
_VERSION = re.compile(r"[0-9]{1,4}")
_MAX_TOKEN_TEXT = ntlm.MAX_TOKEN_BYTES * 4 // 3 + 4


@frozen
class Proof:
    """A peer proved to be this account; with NTLM, the association by which both sides sign from now on."""

    account: Account
    association: Association | None


@frozen
class _Challenge:
    """A challenge that is out.

    Args:
        scheme: ``ntlm`` or ``digest``.
        name: Opaque or nonce, by which the answer names it.
        expires_at: Clock time in seconds.
        message: NTLM's CHALLENGE, as sent.
        version: That of the client, None if it named none.
    """

    scheme: str
    name: str
    expires_at: float
    message: bytes = field(default=b"", repr=False)
    version: int | None = None


class Handshake:
    """One connection's way from a REGISTER without credentials to a proof.

    All methods raise `SipRefused` for what is malformed, weak, out of turn or once too often.

    Args:
        policy: Schemes and names.
        passwords: Checks them.
        clock: Time in seconds.
        random: Unpredictable bytes.
    """

    def __init__(
        self, policy: SignInPolicy, passwords: PasswordCheck, clock: IReactorTime, random: Random
    ) -> None:
        self.stage = Stage.QUIET
        self._policy = policy
        self._passwords = passwords
        self._clock = clock
        self._random = random
        self._challenge: _Challenge | None = None
        self._steps = 0

    def completed(self) -> None:
        """Learn that somebody is signed in: steps are counted anew."""
        self._steps = 0

    def _advance(self, step: Step) -> None:
        following = HANDSHAKE.get((self.stage, step))
        if following is None:
            raise SipRefused(403, "Another sign-in is being checked", close=True)
        self.stage = following

    # -- offers and challenges

    def offer(self, request: Request) -> Challenged:
        """Tell the peer which scheme to use."""
        scheme = next((name for name in self._policy.schemes if name != "none"), None)
        if scheme == "digest":
            return self._challenge_digest(request)
        if scheme is None:
            raise SipRefused(403, "No scheme to sign in with", close=True)
        self._advance(Step.OFFER)
        self._challenge = None
        return self._ask(request, 401, f"NTLM {self._ntlm_params}")

    @property
    def _ntlm_params(self) -> str:
        policy = self._policy
        return f'realm="{policy.realm}", targetname="{policy.target_name}", version={NEWEST_VERSION}'

    def _ask(self, request: Request, status: int, value: str) -> Challenged:
        self._steps += 1
        if self._steps > MAX_STEPS:
            raise SipRefused(403, "Too many steps without a sign-in", close=True)
        name = "WWW-Authenticate" if status == 401 else "Proxy-Authenticate"
        return Challenged(request.response(status, to_tag=self._random(6).hex(), headers=[(name, value)]))

    def challenge_ntlm(self, request: Request, params: dict[str, str]) -> Challenged:
        """Answer an empty token by a CHALLENGE; an earlier challenge is void then."""
        version = _read_version(params)
        self._advance(Step.CHALLENGE)
        now = self._clock.seconds()
        message = ntlm.make_challenge(self._random(8), self._policy.target, ntlm.file_time(now))
        opaque = self._random(4).hex().upper()
        self._challenge = _Challenge("ntlm", opaque, now + CHALLENGE_SECONDS, message, version)
        token = base64.b64encode(message).decode("ascii")
        return self._ask(request, 401, f'NTLM opaque="{opaque}", gssapi-data="{token}", {self._ntlm_params}')

    def _challenge_digest(self, request: Request) -> Challenged:
        self._advance(Step.CHALLENGE)
        nonce = self._random(16).hex()
        self._challenge = _Challenge("digest", nonce, self._clock.seconds() + CHALLENGE_SECONDS)
        value = f'Digest realm="{self._policy.digest_realm}", nonce="{nonce}", qop="auth", algorithm=MD5'
        return self._ask(request, 407, value)

    # -- answers

    def _spend(self, scheme: str, name: str) -> _Challenge | None:
        """Take the challenge that an answer names; whatever becomes of the answer, it is used up."""
        if self.stage is Stage.CHECKING:
            raise SipRefused(403, "Another sign-in is being checked", close=True)
        challenge, self._challenge = self._challenge, None
        if (
            challenge is None
            or challenge.scheme != scheme
            or not hmac.compare_digest(challenge.name.encode(), name.encode())
            or challenge.expires_at < self._clock.seconds()
        ):
            return None
        self._advance(Step.ANSWER)
        return challenge

    async def prove_ntlm(self, request: Request, params: dict[str, str], token: str) -> Proof | Challenged:
        """Check an AUTHENTICATE; a wrong password or a spent challenge begins anew."""
        challenge = self._spend("ntlm", params.get("opaque", ""))
        if challenge is None:
            return self.offer(request)
        try:
            proof = await self._check_ntlm(request, params, token, challenge)
        finally:
            self._advance(Step.DECIDE)
        return self.offer(request) if proof is None else proof

    async def _check_ntlm(
        self, request: Request, params: dict[str, str], token: str, challenge: _Challenge
    ) -> Proof | None:
        if _read_version(params) != challenge.version:
            raise SipRefused(403, "Version changed within the handshake", close=True)
        authenticate = _read_authenticate(token)

        def proves(nt: bytes) -> bytes | None:
            return ntlm.verify(authenticate, challenge.message, nt)

        login = self._policy.login_name(authenticate.user, authenticate.domain)
        proven = await self._passwords.prove(login, "ntlm", proves)
        if proven is None:
            return None
        account, session_key = proven
        association = Association.ntlm(
            session_key,
            version=challenge.version,
            opaque=challenge.name,
            realm=self._policy.realm,
            target_name=self._policy.target_name,
            user=account,
            random=self._random,
        )
        if (challenge.version or 0) >= _SIGNED_REGISTER or "response" in params:
            try:
                association.verify(request)
            except SignatureRefused as error:
                raise SipRefused(403, f"Signature refused: {error}", close=True) from None
        return Proof(account, association)

    async def prove_digest(self, request: Request, credentials: AuthParams) -> Proof | Challenged:
        """Check an answer to a 407; a wrong password or a spent nonce begins anew."""
        params = credentials.params
        challenge = self._spend("digest", params.get("nonce", ""))
        if challenge is None:
            return self.offer(request)
        try:
            proof = await self._check_digest(request, credentials)
        finally:
            self._advance(Step.DECIDE)
        return self.offer(request) if proof is None else proof

    async def _check_digest(self, request: Request, credentials: AuthParams) -> Proof | None:
        try:
            answer = DigestAnswer.read(credentials, self._policy.digest_realm, request.uri)
        except DigestRefused as error:
            raise SipRefused(403, str(error), close=True) from None

        def proves(ha1: bytes) -> bytes | None:
            return b"" if answer.proves(ha1, request.method) else None

        proven = await self._passwords.prove(self._policy.login_name(answer.username, ""), "digest", proves)
        return None if proven is None else Proof(proven[0], None)


def _read_version(params: dict[str, str]) -> int | None:
    """Read the client's version; None if it names none, and never above what we offer."""
    text = params.get("version")
    if text is None:
        return None
    if not _VERSION.fullmatch(text):
        raise SipRefused(403, "Malformed version", close=True)
    return min(int(text), NEWEST_VERSION)


def _read_authenticate(token: str) -> ntlm.Authenticate:
    if len(token) > _MAX_TOKEN_TEXT:
        raise SipRefused(403, "gssapi-data is too long", close=True)
    try:
        return ntlm.Authenticate.parse(base64.b64decode(token, validate=True))
    except ntlm.NtlmRefused as error:
        raise SipRefused(403, f"NTLM refused: {error}", close=True) from None
    except (binascii.Error, ValueError):
        raise SipRefused(403, "gssapi-data is not base64", close=True) from None
