"""Make the plugin's XML parser work with Debian 12's libxml2, in this process only.

libxml2 2.9.14 decides "SAX2" from the magic number in a handler table alone and then never calls
the SAX1 callbacks; pidgin-sipe 1.25 has a table with that number and only SAX1 callbacks, so it
sees no XML element at all. Setting the one integer to 1, in memory, brings it back to life.

Source: docs/spec/sip-sign-in.md section 1.
"""

from __future__ import annotations

import ctypes
import struct
from pathlib import Path
from typing import Any

SAX2_MAGIC = struct.pack("=I", 0xDEEDBEAF)
SAX1_MARK = struct.pack("=I", 1)
HANDLER_POINTERS = 32
START_ELEMENT = 14
INITIALIZED = 27


def sax1_is_lost() -> bool:
    """Tell whether libxml2 here ignores SAX1 callbacks in a table marked as SAX2."""
    try:
        library = ctypes.CDLL("libxml2.so.2")
    except OSError:
        return False
    seen: list[bytes] = []
    kind = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p)
    start = kind(lambda _user, name, _attributes: seen.append(name))
    table = (ctypes.c_void_p * HANDLER_POINTERS)()
    table[START_ELEMENT] = ctypes.cast(start, ctypes.c_void_p).value
    mark = ctypes.addressof(table) + INITIALIZED * ctypes.sizeof(ctypes.c_void_p)
    ctypes.memmove(mark, SAX2_MAGIC, len(SAX2_MAGIC))
    document = b"<a/>"
    parse: Any = library.xmlSAXUserParseMemory
    parse.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int]
    parse(table, None, document, len(document))
    return not seen


def mark_sax1(library: str) -> int:
    """Set the mark to SAX1 wherever a loaded library's data says SAX2; return how often."""
    count = 0
    for line in Path("/proc/self/maps").read_text().splitlines():
        fields = line.split()
        if not line.endswith("/" + library) or "w" not in fields[1]:
            continue
        low, high = (int(part, 16) for part in fields[0].split("-"))
        data = ctypes.string_at(low, high - low)
        at = data.find(SAX2_MAGIC)
        while at >= 0:
            ctypes.memmove(low + at, SAX1_MARK, len(SAX1_MARK))
            count += 1
            at = data.find(SAX2_MAGIC, at + len(SAX2_MAGIC))
    return count
