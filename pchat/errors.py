"""The error families: ours (a bug, 500), the peer's (typed, with its code) and the operator's."""

from __future__ import annotations

from pchat.xccos.codes import ResponseCode


class PchatError(Exception):
    """Anything pchat raises on purpose."""


class OurError(PchatError):
    """A bug of ours or a broken invariant: answered 500, logged with its traceback."""


class PeerError(PchatError):
    """The peer broke a rule; one log line that names the peer, no traceback."""


class SipRefused(PeerError):
    """A SIP request that is answered with an error status.

    Args:
        status: SIP status code, 400 to 699.
        reason: Short text for the status line and for the log.
        diagnostics: ``Ms-diagnostics`` number, if clients are told one.
        warning: Text shown to the user by clients that read ``Warning``.
        retry_after: Seconds after which the peer may try again.
        close: Whether the connection is closed after the answer.
        headers: What else the answer must tell, such as ``Min-SE`` in a 422.

    Source: RFC 3261 section 21; docs/spec/sip-sign-in.md section 3.
    """

    def __init__(
        self,
        status: int,
        reason: str,
        *,
        diagnostics: int | None = None,
        warning: str | None = None,
        retry_after: int | None = None,
        close: bool = False,
        headers: tuple[tuple[str, str], ...] = (),
    ) -> None:
        super().__init__(status, reason)
        self.status = status
        self.reason = reason
        self.diagnostics = diagnostics
        self.warning = warning
        self.retry_after = retry_after
        self.close = close
        self.headers = headers

    def __str__(self) -> str:
        return f"{self.status} {self.reason}"


class FramingLost(PeerError):
    """Where the next message begins is no longer known: the connection must be closed."""


class CommandRefused(PeerError):
    """An XCCOS command that is answered by name with a response code.

    Args:
        code: A member of `pchat.xccos.codes.ResponseCode`.
        detail: What exactly is wrong; for the log, never sent.

    Source: docs/spec/xccos.md chapter 4.
    """

    def __init__(self, code: ResponseCode, detail: str = "") -> None:
        super().__init__(code, detail)
        self.code = code
        self.detail = detail

    def __str__(self) -> str:
        return f"{self.code.number} {self.code.symbol}" + (f" ({self.detail})" if self.detail else "")


class StoreError(PchatError):
    """The store could not do what was asked."""


class StoreUnavailable(StoreError):
    """Certainly nothing was committed; the request may be sent again (503)."""


class TookTooLong(StoreUnavailable):
    """A statement was interrupted because it took more time than it may."""


class OutcomeUnknown(StoreError):
    """Whether the commit happened is not known yet; no answer may be given until it is."""


class OperatorError(PchatError):
    """Something an operator typed or configured is refused; the text says what to do."""


class StoreInUse(OperatorError):
    """Another process works on the store; it may be done in a moment, or be a server.

    Args:
        store: The store's file.
        pid: The process, None if it has not told yet.
    """

    def __init__(self, store: str, pid: int | None) -> None:
        super().__init__(store, pid)
        self.store = store
        self.pid = pid

    @property
    def holder(self) -> str:
        """Who it is, in words."""
        return "another process" if self.pid is None else f"process {self.pid}"

    def __str__(self) -> str:
        return f"{self.store} is in use by {self.holder}; use pchatctl to administer it, or stop the server"


class ConfigError(OperatorError):
    """A configuration key is unknown, missing or of the wrong kind.

    Args:
        path: The key, such as ``sip.listeners[0].certificate``.
        problem: What is wrong with it, in one line.
    """

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(path, problem)
        self.path = path
        self.problem = problem

    def __str__(self) -> str:
        return f"{self.path}: {self.problem}"


class AdministrationRefused(OperatorError):
    """The rules, or what already exists, forbid an administrator's change.

    Args:
        code: A member of `pchat.xccos.codes.ResponseCode`; clients that change rooms are told it.
        detail: One line for the operator: what is wrong and what to do.
    """

    def __init__(self, code: ResponseCode, detail: str) -> None:
        super().__init__(code, detail)
        self.code = code
        self.detail = detail

    def __str__(self) -> str:
        return self.detail
