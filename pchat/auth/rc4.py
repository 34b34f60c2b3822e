"""RC4, which NTLM prescribes to carry its session key and to mask its signatures."""

from __future__ import annotations


def rc4(key: bytes, data: bytes) -> bytes:
    """Encrypt or decrypt data with a fresh RC4 state.

    Args:
        key: 1 to 256 bytes.
        data: Any bytes; zeros give the key stream itself.

    Returns:
        As many bytes as ``data`` has.

    Raises:
        ValueError: The key is empty or too long.

    Source: MS-NLMP section 6 ("RC4K"); docs/spec/sip-sign-in.md section 4.2.
    """
    if not 1 <= len(key) <= 256:
        raise ValueError("an RC4 key has 1 to 256 bytes")
    state = list(range(256))
    j = 0
    for i in range(256):
        j = (j + state[i] + key[i % len(key)]) & 0xFF
        state[i], state[j] = state[j], state[i]
    i = j = 0
    result = bytearray(len(data))
    for position, byte in enumerate(data):
        i = (i + 1) & 0xFF
        j = (j + state[i]) & 0xFF
        state[i], state[j] = state[j], state[i]
        result[position] = byte ^ state[(state[i] + state[j]) & 0xFF]
    return bytes(result)
