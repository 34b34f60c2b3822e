"""MD4, which NTLM needs for its password hash and which OpenSSL 3 no longer offers.

MD4 is broken as a hash; here it is only the step from a password to the NT hash that NTLM prescribes.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

_MASK = 0xFFFFFFFF
_START = (0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476)
_BLOCK = struct.Struct("<16I")
_DIGEST = struct.Struct("<4I")

#: Per round: the additive constant, the order in which words are taken, the four shifts in turn.
_ROUNDS = (
    (0x00000000, (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15), (3, 7, 11, 19)),
    (0x5A827999, (0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15), (3, 5, 9, 13)),
    (0x6ED9EBA1, (0, 8, 4, 12, 2, 10, 6, 14, 1, 9, 5, 13, 3, 11, 7, 15), (3, 9, 11, 15)),
)


def _mix(number: int, x: int, y: int, z: int) -> int:
    """Compute the round function: choice, majority or parity of the bits."""
    if number == 0:
        return (x & y) | (~x & z)
    if number == 1:
        return (x & y) | (x & z) | (y & z)
    return x ^ y ^ z


def _compress(state: Sequence[int], block: bytes) -> tuple[int, int, int, int]:
    words = _BLOCK.unpack(block)
    a, b, c, d = state
    for number, (constant, order, shifts) in enumerate(_ROUNDS):
        for step, index in enumerate(order):
            total = (a + _mix(number, b, c, d) + words[index] + constant) & _MASK
            shift = shifts[step & 3]
            turned = ((total << shift) | (total >> (32 - shift))) & _MASK
            a, b, c, d = d, turned, b, c
    return (
        (state[0] + a) & _MASK,
        (state[1] + b) & _MASK,
        (state[2] + c) & _MASK,
        (state[3] + d) & _MASK,
    )


def md4(data: bytes) -> bytes:
    """Compute the MD4 digest of data.

    Args:
        data: Any bytes.

    Returns:
        16 bytes.

    Source: RFC 1320 section 3.
    """
    padding = b"\x80" + bytes(-(len(data) + 9) % 64) + struct.pack("<Q", len(data) * 8 & 0xFFFFFFFFFFFFFFFF)
    padded = data + padding
    state = _START
    for offset in range(0, len(padded), 64):
        state = _compress(state, padded[offset : offset + 64])
    return _DIGEST.pack(*state)
