"""Print what signatures cost: ``python bench/signing.py``.

Signing an INFO is on the way of every delivery, verifying a 200 on the way of its answer.
"""

from __future__ import annotations

import platform
import secrets
import timeit
from collections.abc import Callable

from pchat.auth.ntlm import SigningKeys
from pchat.auth.signature import Association, Checksum
from pchat.sip.message import Response, parse_head

REALM, TARGET, OPAQUE = "SIP Communications Service", "frontend.example.com", "A57760B4"
ROUNDS = 20_000


def association(key: bytes) -> Association:
    """Make one side of a session."""
    return Association.ntlm(
        key,
        version=4,
        opaque=OPAQUE,
        realm=REALM,
        target_name=TARGET,
        user=None,
        random=secrets.token_bytes,
    )


def answers(key: bytes, count: int) -> list[bytes]:
    """Write signed 200 answers as the usual client does."""
    checksum = Checksum(SigningKeys.to_server(key))
    call_id, tag = "E4A3gA21Fa5B33i1035m0D1Et63A2b8829xE008x", "3932752454"
    chat, alice = "sip:GC-1-PersistentChatService-1@example.com", "sip:alice@example.com"
    result = []
    for number in range(1, count + 1):
        text = (
            f"<NTLM><68f7ec32><{number}><{REALM}><{TARGET}><{call_id}><{number}><INFO>"
            f"<{chat}><ab12cd34ef><{alice}><{tag}><><><><200>"
        )
        result.append(
            "\r\n".join(
                (
                    "SIP/2.0 200 OK",
                    f"Via: SIP/2.0/TLS 192.0.2.1:5061;branch=z9hG4bK{number:08x}",
                    f"From: <{chat}>;tag=ab12cd34ef",
                    f"To: <{alice}>;tag={tag};epid=cf0b98dadeb9",
                    f"Call-ID: {call_id}",
                    f"CSeq: {number} INFO",
                    "User-Agent: Purple/2.14.12 Sipe/1.25.0 (linux-x86_64)",
                    f'Authorization: NTLM qop="auth", opaque="{OPAQUE}", realm="{REALM}", '
                    f'targetname="{TARGET}", crand="68f7ec32", cnum="{number}", '
                    f'response="{checksum.of(text.encode())}"',
                    "Content-Length: 0",
                )
            ).encode()
        )
    return result


def measure(name: str, work: Callable[[], object], rounds: int) -> None:
    """Print the microseconds of one round."""
    print(f"{name:42} {timeit.timeit(work, number=1) / rounds * 1e6:6.2f} µs")


def main() -> None:
    """Measure and print."""
    key = secrets.token_bytes(16)
    print(f"Python {platform.python_version()}, {platform.machine()}, {ROUNDS} rounds each")
    signer = association(key).request_signer(
        method="INFO",
        call_id="E4A3gA21Fa5B33i1035m0D1Et63A2b8829xE008x",
        from_uri="sip:GC-1-PersistentChatService-1@example.com",
        from_tag="ab12cd34ef",
        to_uri="sip:alice@example.com",
        to_tag="3932752454",
    )
    header_line = signer.header_line
    measure("sign an INFO (header_line)", lambda: [header_line(cseq) for cseq in range(ROUNDS)], ROUNDS)

    raw = answers(key, ROUNDS)
    messages: list[Response] = []

    def parse() -> None:
        for head in raw:
            message = parse_head(head)
            if isinstance(message, Response):
                messages.append(message)

    measure("parse a 200 (for comparison)", parse, ROUNDS)
    verify = association(key).verify
    measure("verify a 200, nothing read before", lambda: [verify(message) for message in messages], ROUNDS)
    verify_again = association(key).verify
    measure("verify a 200, Call-ID and CSeq read before", lambda: [verify_again(m) for m in messages], ROUNDS)


if __name__ == "__main__":
    main()
