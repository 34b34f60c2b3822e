"""What an operator reads when the server listens: addresses, passwords' place, how to connect."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pchat.config import Config

#: Written by ``pchatctl init --demo`` beside the configuration, above the data directory.
DEMO_ACCOUNTS = "demo-accounts.json"


def announcement(config: Config, addresses: Mapping[str, Sequence[str]]) -> str:
    """Write the lines for the terminal.

    Args:
        config: The configuration of the server that listens now.
        addresses: ``host:port`` of its open listeners, in the configuration's order: ``sip`` and ``web``.
    """
    domain = config.server.domain
    lines = ["pchat listens."]
    for sip, address in zip(config.sip.listeners, addresses["sip"], strict=True):
        lines.append(f"  SIP:       {sip.transport.upper()} {address}")
    for web, address in zip(config.web.listeners, addresses["web"], strict=True):
        scheme = "https" if web.transport == "tls" else "http"
        lines.append(f"  Web:       {scheme}://{address}/health/ready")
    accounts = config.server.data.parent / DEMO_ACCOUNTS
    if accounts.exists():
        lines.append(f"  Accounts:  alice, bob, carol @{domain}; their passwords are in {accounts}")
    authority = config.sip.listeners[0].certificate
    lines += [
        f"  Connect:   in Pidgin with pidgin-sipe, an Office Communicator account: user name alice@{domain},",
        f"             server {addresses['sip'][0]}, connection type {'SSL/TLS' if authority else 'TCP'},"
        " authentication scheme NTLM.",
    ]
    if authority is not None:
        lines.append(f"             The client must trust the CA in {authority.parent / 'ca.pem'}")
    return "\n".join(lines) + "\n"
