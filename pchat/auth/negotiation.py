"""Sign-in on one connection of a client: who it is, and what each message must prove.

Source: MS-SIPAE section 3.3; docs/spec/sip-sign-in.md section 4; docs/operating.md "Accounts".
"""

from __future__ import annotations

from enum import Enum
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime

from pchat.auth.accounts import Account, SignInPolicy
from pchat.auth.handshake import Handshake, Proof, Stage
from pchat.auth.proving import PasswordCheck, SignInAbandoned
from pchat.auth.signature import Association, SignatureRefused
from pchat.auth.throttle import LoginThrottle
from pchat.auth.verdicts import Admitted, Challenged, Turned, Verdict
from pchat.errors import OurError, SipRefused, StoreError
from pchat.interfaces import Random
from pchat.sip.headers import AuthParams
from pchat.sip.message import Request, Response, refusal
from pchat.sip.uri import address_key


class Session(Enum):
    """What a connection has reached."""

    NOBODY = "nobody signed in"
    TRUSTED = "somebody signed in without signatures"
    SIGNED = "somebody signed in, every message is signed"


#: Session after a sign-in (signed or not). A signed session never becomes an unsigned one.
SIGN_IN = {
    (Session.NOBODY, False): Session.TRUSTED,
    (Session.NOBODY, True): Session.SIGNED,
    (Session.TRUSTED, False): Session.TRUSTED,
    (Session.TRUSTED, True): Session.SIGNED,
    (Session.SIGNED, True): Session.SIGNED,
}

#: How long a client may take for a new handshake within a session: a few round trips of a slow network.
RENEWAL_SECONDS = 10.0
#: Our own numbers for ``Ms-diagnostics``; clients show the text beside them.
_DIAGNOSTICS_DISABLED = 20102
_DIAGNOSTICS_NOT_YOURS = 20103


class Negotiation:
    """Who is signed in on a connection, and how.

    Args:
        policy: Schemes and names.
        credentials: An `ICredentials`.
        throttle: Shared by all connections.
        clock: Time in seconds, and delays.
        random: Unpredictable bytes.
        source: Address of the peer without its port; for the throttle and the log.
    """

    def __init__(
        self,
        policy: SignInPolicy,
        credentials: Any,
        throttle: LoginThrottle,
        clock: IReactorTime,
        random: Random,
        source: str,
    ) -> None:
        self.session = Session.NOBODY
        self.account: Account | None = None
        self.association: Association | None = None
        self._policy = policy
        self._passwords = PasswordCheck(credentials, throttle, clock, random, source)
        self._handshake = Handshake(policy, self._passwords, clock, random)
        self._own_from = ""
        self._seconds = clock.seconds
        self._renewing_until = 0.0

    @property
    def renewing(self) -> bool:
        """Whether a client in a signed session is about to get new keys: it may have them before we know."""
        return self.association is not None and self._handshake.stage is not Stage.QUIET

    def abandon(self) -> None:
        """Learn that the connection is gone: nothing signs in any more, a delayed verdict comes at once."""
        self._passwords.abandon()

    # -- every message but REGISTER

    def check(self, request: Request) -> Verdict:
        """Decide on a request other than REGISTER (and than OPTIONS before sign-in).

        Returns:
            `Admitted`, or `Turned`; an ACK is never answered.
        """
        if self.account is None:
            return self._refuse(request, SipRefused(403, "Sign in first", close=True))
        if self.association is not None:
            try:
                self.association.verify(request)
            except SignatureRefused as error:
                return self._refuse(request, SipRefused(403, f"Signature refused: {error}", close=True))
        try:
            if not self._is_own(request.from_.uri, self.account):
                raise SipRefused(403, "From is not the user signed in")
        except SipRefused as error:
            return self._refuse(request, error)
        return Admitted(self.account, self.association)

    def check_response(self, response: Response) -> bool:
        """Tell whether a response may be believed; if not, the connection must be closed."""
        if self.association is None:
            return self.account is not None
        try:
            self.association.verify(response)
        except SignatureRefused:
            # COMPAT(pidgin-sipe): it forgets its keys when it begins a new handshake, so what it answers
            # until that is done is not signed. An answer only makes room for more; it commands nothing.
            return "Authorization" not in response.headers and self._seconds() < self._renewing_until
        return True

    def _is_own(self, uri: str, account: Account) -> bool:
        # One spelling is remembered: a client writes the same From a thousand times.
        if uri != self._own_from:
            if address_key(uri) != address_key(account.uri):
                return False
            self._own_from = uri
        return True

    def _refuse(self, request: Request, error: SipRefused, *, sign: bool = True) -> Turned:
        if request.method == "ACK":
            return Turned(None, error.close, error.reason)
        response = refusal(request, error, self._policy.target_name)
        if error.warning is not None:
            # COMPAT(pidgin-sipe): on a 403 it shows this or the Warning, and not Ms-diagnostics.
            text = f'{error.diagnostics};reason="{error.warning}";source="{self._policy.target_name}"'
            response.headers.add("ms-diagnostics-public", text)
        return Turned(response, error.close, error.reason, sign)

    # -- REGISTER

    def register(self, request: Request) -> Deferred[Verdict]:
        """Take a REGISTER: a step of a handshake, or a refresh in a session.

        Returns:
            Fires with the verdict, after a delay if the password was wrong. The new association is in
            force from that moment on; until then the old one is. It fails only by a bug.
        """
        return Deferred.fromCoroutine(self._register(request))

    async def _register(self, request: Request) -> Verdict:
        try:
            verdict = await self._dispatch(request)
            if isinstance(verdict, Challenged) and self.association is not None:
                self._renewing_until = self._seconds() + RENEWAL_SECONDS
            return verdict
        except SipRefused as error:
            # COMPAT(pidgin-sipe) waits for ever after a 400 to REGISTER.
            final = SipRefused(403, error.reason, close=True) if error.status == 400 else error
            return self._refuse(request, final, sign=False)
        except StoreError:
            busy = SipRefused(503, "Accounts cannot be read just now", retry_after=5)
            return self._refuse(request, busy, sign=False)
        except (SignInAbandoned, CancelledError):
            return Turned(None, True, "connection lost during sign-in")

    async def _dispatch(self, request: Request) -> Verdict:
        """Lead a REGISTER to what it asks for; what it does not prove, it does not get."""
        value = request.headers.get("Authorization")
        if value is not None:
            scheme, params = AuthParams.parse(value)
            token = params.get("gssapi-data")
            if scheme.upper() == "NTLM" and token is not None and "ntlm" in self._policy.schemes:
                return await self._step_ntlm(request, params, token)
            if self.association is not None:
                return self._refresh(request, self.association)
        if self.association is None:
            digest = request.headers.get("Proxy-Authorization")
            if digest is not None and "digest" in self._policy.schemes:
                credentials = AuthParams.parse(digest, "Proxy-Authorization")
                return self._conclude(request, await self._handshake.prove_digest(request, credentials))
            if self.account is not None:
                self._check_owner(request, self.account)
                return Admitted(self.account, None)
            if "none" in self._policy.schemes:
                return await self._believe(request)
        return self._handshake.offer(request)

    async def _step_ntlm(self, request: Request, params: dict[str, str], token: str) -> Verdict:
        if not token:
            return self._handshake.challenge_ntlm(request, params)
        return self._conclude(request, await self._handshake.prove_ntlm(request, params, token))

    def _conclude(self, request: Request, result: Proof | Challenged) -> Verdict:
        if isinstance(result, Challenged):
            return result
        return self._accept(request, result.account, result.association)

    def _refresh(self, request: Request, association: Association) -> Verdict:
        """Take a signed REGISTER within the session."""
        try:
            association.verify(request)
        except SignatureRefused as error:
            raise SipRefused(403, f"Signature refused: {error}", close=True) from None
        if self.account is None:
            raise OurError("an association without an account")
        self._check_owner(request, self.account)
        return Admitted(self.account, association)

    async def _believe(self, request: Request) -> Verdict:
        """Sign somebody in because he says so; only where the operator wrote ``none``."""
        user, _at, domain = address_key(request.from_.uri).partition(":")[2].rpartition("@")
        account = await self._passwords.lookup(user, domain)
        if account is None:
            raise SipRefused(403, "No such account", close=True)
        return self._accept(request, account, None)

    def _accept(self, request: Request, account: Account, association: Association | None) -> Admitted:
        """Sign an account in whose password was right."""
        self._check_owner(request, account)
        if account.disabled:
            text = "This account is disabled, ask your administrator"
            raise SipRefused(
                403, "Account disabled", diagnostics=_DIAGNOSTICS_DISABLED, warning=text, close=True
            )
        if self.account is not None and address_key(self.account.uri) != address_key(account.uri):
            raise SipRefused(403, "This connection belongs to another user", close=True)
        session = SIGN_IN.get((self.session, association is not None))
        if session is None:
            raise SipRefused(403, "A signed session stays signed", close=True)
        self.session = session
        self.account, self.association = account, association
        self._handshake.completed()
        self._renewing_until = 0.0
        return Admitted(account, association)

    @staticmethod
    def _check_owner(request: Request, account: Account) -> None:
        """Refuse to register anybody but the account itself."""
        own = address_key(account.uri)
        if address_key(request.from_.uri) != own or address_key(request.to.uri) != own:
            text = "The sign-in address does not belong to this account"
            raise SipRefused(403, text, diagnostics=_DIAGNOSTICS_NOT_YOURS, warning=text, close=True)
