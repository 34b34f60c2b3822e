"""What an operator reads when the server listens: addresses, passwords' place, how to connect."""

from __future__ import annotations

from pchat.config import Config

#: Written by ``pchatctl init --demo`` beside the configuration, above the data directory.
DEMO_ACCOUNTS = "demo-accounts.json"


def announcement(config: Config) -> str:
    """Write the lines for the terminal.

    Args:
        config: The configuration of the server that listens now.
    """
    home = config.server.data.parent
    domain = config.server.domain
    lines = ["pchat listens."]
    lines += [f"  SIP:       {sip.transport.upper()} {sip.address}" for sip in config.sip.listeners]
    for web in config.web.listeners:
        scheme = "https" if web.transport == "tls" else "http"
        lines.append(f"  Web:       {scheme}://{web.address}/health/ready")
    accounts = home / DEMO_ACCOUNTS
    if accounts.exists():
        lines.append(f"  Accounts:  alice, bob, carol @{domain}; their passwords are in {accounts}")
    first = config.sip.listeners[0]
    lines += [
        f"  Connect:   Pidgin with pidgin-sipe: protocol Office Communicator, user name alice@{domain},",
        f"             server {first.address}, connection type {'SSL/TLS' if first.certificate else 'TCP'},"
        " authentication scheme NTLM.",
    ]
    if first.certificate:
        authority = first.certificate.parent / "ca.pem"
        lines.append(f"             The client must trust the CA in {authority}")
    return "\n".join(lines) + "\n"
