"""Which characters of Unicode are alike for a search, and which scripts know no blanks between words.

Source: Unicode Standard Annex #15 (normal forms); the Unicode Standard, chapters 3.13, 9, 16 and 18.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

#: Marks that one letter keeps; a run of more is noise, and ordering it takes time that grows as its square.
MARKS_KEPT = 8
#: Behind this there are no marks but the variation selectors.
_LAST_MARK = 0x1E94A


def _chars(*ranges: tuple[int, int]) -> str:
    return "".join(chr(code) for first, last in ranges for code in range(first, last + 1))


def _pattern(codes: Iterable[int]) -> str:
    """Write characters as the inside of a character class."""
    parts: list[str] = []
    first = last = -2
    for code in [*sorted(codes), -2]:
        if code == last + 1:
            last = code
            continue
        if first >= 0:
            parts.append(chr(first) if first == last else f"{chr(first)}-{chr(last)}")
        first = last = code
    return "".join(parts)


#: Characters of scripts that are written without blanks, for a character class. Their marks are among them.
UNSPACED = "".join(
    f"{chr(first)}-{chr(last)}"
    for first, last in (
        (0x0E01, 0x0E3A),  # Thai, but for its currency sign and its digits
        (0x0E40, 0x0E4E),
        (0x0E81, 0x0ECF),  # Lao
        (0x1000, 0x103F),  # Burmese
        (0x1050, 0x109F),
        (0x1780, 0x17D3),  # Khmer
        (0x17D7, 0x17D7),
        (0x17DC, 0x17DD),
        (0x3005, 0x3007),  # Han: iteration mark, closing mark, zero
        (0x3021, 0x3029),
        (0x3031, 0x3035),  # Kana: repeat marks
        (0x3038, 0x303C),
        (0x3041, 0x309F),  # Hiragana with its voicing marks
        (0x30A1, 0x30FA),  # Katakana
        (0x30FC, 0x30FF),
        (0x31F0, 0x31FF),
        (0x3400, 0x4DBF),  # Han
        (0x4E00, 0x9FFF),
        (0xA9E0, 0xA9FE),  # Burmese
        (0xAA60, 0xAA7F),
        (0xF900, 0xFAFF),  # Han
        (0x1AFF0, 0x1B16F),  # Kana
        (0x20000, 0x3FFFD),  # Han
    )
)

#: Accents, harakat, points and whatever else makes no difference to one who searches; also characters that
#: are not seen at all, such as joiners, direction marks, soft hyphens and variation selectors.
_DROPPED = _chars(
    (0x0300, 0x036F),
    (0x0483, 0x0489),
    (0x0591, 0x05BD),
    (0x05BF, 0x05BF),
    (0x05C1, 0x05C2),
    (0x05C4, 0x05C5),
    (0x05C7, 0x05C7),
    (0x0610, 0x061A),
    (0x0640, 0x0640),
    (0x064B, 0x065F),
    (0x0670, 0x0670),
    (0x06D6, 0x06DC),
    (0x06DF, 0x06E4),
    (0x06E7, 0x06E8),
    (0x06EA, 0x06ED),
    (0x08CA, 0x08E1),
    (0x08E3, 0x08FF),
    (0x1AB0, 0x1AFF),
    (0x1DC0, 0x1DFF),
    (0x20D0, 0x20FF),
    (0xFE20, 0xFE2F),
    (0x00AD, 0x00AD),
    (0x061C, 0x061C),
    (0x180B, 0x180F),
    (0x200B, 0x200F),
    (0x202A, 0x202E),
    (0x2060, 0x206F),
    (0xFE00, 0xFE0F),
    (0xFEFF, 0xFEFF),
    (0xE0100, 0xE01EF),
)

#: Letters that normal forms leave alone and people type as others; to the right as case folding leaves them.
_ALIKE = {
    **{"ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "đ": "d", "Đ": "D", "ð": "d", "Ð": "D", "ħ": "h", "Ħ": "H"},
    **{"æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE", "þ": "th", "Þ": "TH", "ı": "i", "ŋ": "n", "Ŋ": "N"},
    **{"ŧ": "t", "Ŧ": "T", "ĸ": "k", "ß": "ss", "ẞ": "SS", "ς": "σ"},
    # Arabic letters as Persian and Urdu keyboards write them, and two that are often left out or mixed up.
    **{"ک": "ك", "ی": "ي", "ى": "ي", "ے": "ي", "ہ": "ه", "ة": "ه", "ۀ": "ه", "ە": "ه"},
}


def _table() -> dict[int, str | None]:
    table: dict[int, str | None] = dict.fromkeys(map(ord, _DROPPED))
    table.update({ord(letter): other for letter, other in _ALIKE.items()})
    table[ord("_")] = " "  # a letter to the re module, but no part of a word here
    for code in range(0x80, 0x20000):
        digit = unicodedata.decimal(chr(code), None)
        if digit is not None:
            table[code] = str(digit)
    return table


_TABLE = _table()


def _marks() -> tuple[str, str]:
    kept, moving = set(), {0x0F73, 0x0F75, 0x0F81, 0xFF9E, 0xFF9F}  # these unfold to marks only
    dropped, unspaced = set(map(ord, _DROPPED)), re.compile(f"[{UNSPACED}]")
    for code in range(0x300, _LAST_MARK + 1):
        char = chr(code)
        if unicodedata.category(char)[0] == "M":
            if code not in dropped and not unspaced.match(char):
                kept.add(code)
            if unicodedata.combining(char):
                moving.add(code)
    return _pattern(kept), _pattern(moving)


#: Marks that belong to the word they are in, for a character class: vowel signs of India above all. And
#: marks that a normal form may put into another order.
MARKS, _MOVING = _marks()
_NOISE = re.compile(f"([{_MOVING}]{{{MARKS_KEPT}}})[{_MOVING}]++")


def bounded_marks(text: str) -> str:
    """Leave out marks that no letter needs, before normal forms put the others into order."""
    return _NOISE.sub(r"\1", text)


def fold(text: str, *, keep_case: bool = False) -> str:
    """Make alike what is alike for a search; of what ``re`` takes for a letter, underscores become blanks.

    Args:
        text: Any text.
        keep_case: Whether capital letters stay what they are.

    Returns:
        The text in NFC. Folding it again changes nothing.
    """
    if text.isascii():
        return (text if keep_case else text.lower()).replace("_", " ")
    text = unicodedata.normalize("NFKD", bounded_marks(text))
    if not keep_case:
        text = unicodedata.normalize("NFKD", text.casefold())
    return unicodedata.normalize("NFC", text.translate(_TABLE))
