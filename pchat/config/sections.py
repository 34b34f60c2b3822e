"""Every key of ``pchat.toml``: its kind, its default, its range and what it is for.

This is the only list of keys: the reader checks files against these classes, and the file that
``pchatctl init`` writes takes its comments and defaults from them. A relative path begins in the
directory of the file; what `pchat.config.load_config` returns is absolute.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from attrs import field, frozen


@frozen
class Range:
    """The least and the greatest value of a number; both are allowed."""

    low: int
    high: int


@frozen
class Form:
    """What a text must look like, by the name of its check in `pchat.config.forms`."""

    name: Literal["address", "domain", "host", "name", "netbios", "store", "url"]


Count = Annotated[int, Range(1, 1_000_000)]
Bytes = Annotated[int, Range(1_024, 1 << 30)]
Seconds = Annotated[int, Range(1, 86_400)]
Address = Annotated[str, Form("address")]


def doc(text: str) -> dict[str, str]:
    """Describe a key: the comment above it in the generated file."""
    return {"doc": text}


def split_address(address: str) -> tuple[str, int]:
    """Split ``host:port``; an IPv6 host stands in brackets and is returned without them.

    Raises:
        ValueError: The text is no address with a port.
    """
    host, _, port = address.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise ValueError("an IPv6 address needs brackets, such as [::1]:5061")
    if not host or not (port.isascii() and port.isdigit()) or int(port) > 65_535:
        raise ValueError("must be an address with a port, such as 127.0.0.1:5061")
    return host, int(port)


@frozen
class ServerConfig:
    """The keys of ``[server]``."""

    name: Annotated[str, Form("name")] = field(
        default="server-1", metadata=doc("Name of this server, kept in the store.")
    )
    domain: Annotated[str, Form("domain")] = field(
        default="example.com", metadata=doc("SIP domain of the users: what follows the @ in their addresses.")
    )
    host: Annotated[str, Form("host")] = field(
        default="",
        metadata=doc(
            'Name of this server as clients are told it at sign-in; "" is "frontend." before the domain.'
        ),
    )
    data: Path = field(default=Path("data"), metadata=doc("Directory of what is kept."))
    run: Path = field(
        default=Path("run"),
        metadata=doc("Directory of the pid file and of the socket that pchatctl talks to."),
    )

    @property
    def pid_file(self) -> Path:
        """Where twistd writes its process id."""
        return self.run / "twistd.pid"

    @property
    def admin_socket(self) -> Path:
        """The UNIX socket of the administration service."""
        return self.run / "admin.sock"


@frozen
class SipListener:
    """The keys of one ``[[sip.listeners]]``; over plain TCP certificate and key are None."""

    address: Address = field(
        default="127.0.0.1:5061", metadata=doc("Address and port; 0.0.0.0 or [::] for all interfaces.")
    )
    transport: Literal["tls", "tcp"] = field(
        default="tls", metadata=doc('"tls", or "tcp": nothing encrypted, for tests only.')
    )
    mode: Literal["client", "trusted-peer"] = field(
        default="client",
        metadata=doc('"client": users sign in. ("trusted-peer", a SIP proxy, is not supported yet.)'),
    )
    certificate: Path | None = field(
        default=Path("tls/server.pem"),
        metadata=doc("PEM: the server's certificate, then any between it and the CA."),
    )
    key: Path | None = field(
        default=Path("tls/server.key"), metadata=doc("PEM: the certificate's private key.")
    )

    @property
    def host(self) -> str:
        """The address's host, IPv6 without brackets."""
        return split_address(self.address)[0]

    @property
    def port(self) -> int:
        """The address's port; 0 lets the system choose."""
        return split_address(self.address)[1]


@frozen
class SipLimits:
    """The keys of ``[sip.limits]``."""

    connections: Count = field(
        default=10_000, metadata=doc("Connections at a time; more are closed at once.")
    )
    connections_per_address: Count = field(
        default=2_000,
        metadata=doc("Connections at a time from one address (many users may share one behind NAT)."),
    )
    head_bytes: Bytes = field(default=16_384, metadata=doc("Start line and headers of one message."))
    line_bytes: Bytes = field(
        default=12_288, metadata=doc("One header line; Kerberos tokens are the longest values.")
    )
    headers: Count = field(default=128, metadata=doc("Header lines of one message."))
    body_bytes: Bytes = field(
        default=1 << 20,
        metadata=doc("Body of one message; a story with its formatting is about half of this."),
    )
    sign_in_seconds: Seconds = field(
        default=90, metadata=doc("A connection without a signed-in user is closed after this time.")
    )
    idle_seconds: Seconds = field(
        default=900, metadata=doc("A connection that sent nothing, not even a keep-alive, is closed.")
    )
    unsent_bytes: Bytes = field(
        default=4 << 20, metadata=doc("A client that reads too slowly is dropped with this much unsent.")
    )
    outstanding_infos: Annotated[int, Range(1, 1_024)] = field(
        default=64, metadata=doc("Requests sent to one client before it has answered the first of them.")
    )
    pending_infos: Count = field(
        default=2_000, metadata=doc("Further requests that wait for one client; then it is dropped.")
    )
    response_seconds: Seconds = field(
        default=32, metadata=doc("A client that leaves a request unanswered for so long is dropped.")
    )


@frozen
class SipConfig:
    """The keys of ``[sip]``."""

    listeners: tuple[SipListener, ...] = field(
        default=(SipListener(),), metadata=doc("Where SIP clients connect.")
    )
    limits: SipLimits = field(default=SipLimits(), metadata=doc("What one peer, and all together, may cost."))


@frozen
class AuthConfig:
    """The keys of ``[auth]``."""

    schemes: tuple[Literal["ntlm", "digest", "none"], ...] = field(
        default=("ntlm",),
        metadata=doc('Ways to sign in. "digest" signs no messages; "none" asks no password: for tests only.'),
    )
    netbios_domain: Annotated[str, Form("netbios")] = field(
        default="",
        metadata=doc(
            'The part before the \\ in NAME\\user; "" is the first label of the domain in capitals.'
        ),
    )
    realm: Annotated[str, Form("name")] = field(
        default="SIP Communications Service",
        metadata=doc("Realm of the challenges; clients expect just this."),
    )


@frozen
class StoreConfig:
    """The keys of ``[store]``."""

    url: Annotated[str, Form("store")] = field(
        default="sqlite", metadata=doc('"sqlite": one file, pchat.sqlite, in the data directory.')
    )


@frozen
class WebListener:
    """The keys of one ``[[web.listeners]]``; over plain TCP certificate and key are None."""

    address: Address = field(
        default="127.0.0.1:8443", metadata=doc("Address and port; 0.0.0.0 or [::] for all interfaces.")
    )
    transport: Literal["tls", "tcp"] = field(
        default="tls", metadata=doc('"tls", or "tcp": nothing encrypted, for tests only.')
    )
    certificate: Path | None = field(default=Path("tls/server.pem"), metadata=doc("PEM, as for SIP."))
    key: Path | None = field(default=Path("tls/server.key"), metadata=doc("PEM, as for SIP."))

    @property
    def host(self) -> str:
        """The address's host, IPv6 without brackets."""
        return split_address(self.address)[0]

    @property
    def port(self) -> int:
        """The address's port; 0 lets the system choose."""
        return split_address(self.address)[1]


@frozen
class WebLimits:
    """The keys of ``[web.limits]``."""

    connections: Count = field(default=1_000, metadata=doc("Connections at a time; more are closed at once."))
    connections_per_address: Count = field(
        default=250, metadata=doc("Connections at a time from one address, or one /64 network of IPv6.")
    )
    body_bytes: Bytes = field(default=1 << 20, metadata=doc("Body of one request."))
    request_seconds: Seconds = field(default=30, metadata=doc("Time for a request to arrive whole."))
    idle_seconds: Seconds = field(default=60, metadata=doc("An idle connection is closed after this time."))


@frozen
class WebConfig:
    """The keys of ``[web]``."""

    public_url: Annotated[str, Form("url")] = field(
        default="",
        metadata=doc(
            'How browsers reach this server; "" is the host of [server] with the first listener\'s port.'
        ),
    )
    listeners: tuple[WebListener, ...] = field(
        default=(WebListener(),), metadata=doc("Where browsers and health checks connect.")
    )
    limits: WebLimits = field(
        default=WebLimits(), metadata=doc("What one browser, and all together, may cost.")
    )


@frozen
class ComplianceConfig:
    """The keys of ``[compliance]``."""

    enabled: bool = field(
        default=True,
        metadata=doc("Record every event for the archive, in the transaction of what it records."),
    )


@frozen
class LogConfig:
    """The keys of ``[log]``."""

    file: Path | None = field(
        default=None, metadata=doc("File of JSON lines, opened again on SIGHUP; without it standard error.")
    )
    level: Literal["debug", "info", "warn", "error"] = field(
        default="info",
        metadata=doc('Least important events that are written; the text of messages only at "debug".'),
    )


@frozen
class Config:
    """The whole of ``pchat.toml``."""

    server: ServerConfig = field(
        default=ServerConfig(), metadata=doc("Who this server is, and where it keeps things.")
    )
    sip: SipConfig = field(default=SipConfig(), metadata=doc("The door for chat clients."))
    auth: AuthConfig = field(default=AuthConfig(), metadata=doc("How users prove who they are."))
    store: StoreConfig = field(
        default=StoreConfig(), metadata=doc("Where accounts, rooms and messages are kept.")
    )
    web: WebConfig = field(default=WebConfig(), metadata=doc("The door for browsers and monitoring."))
    compliance: ComplianceConfig = field(
        default=ComplianceConfig(), metadata=doc("The archive of who did what.")
    )
    log: LogConfig = field(default=LogConfig(), metadata=doc("What the server tells about itself."))

    @property
    def database(self) -> Path:
        """The file of the SQLite store."""
        return self.server.data / "pchat.sqlite"
