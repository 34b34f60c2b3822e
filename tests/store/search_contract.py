"""What every store must find: searches in history, each held against the history itself.

Engines may index as they like; `pchat.words.matches` and the plain list of messages are the truth.
"""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from pchat.interfaces import ITransaction
from pchat.store.indexing import forget_words, remove_messages, replace_messages
from pchat.store.messages import volumes
from pchat.store.search import Found, HistoryQuery, find_messages
from pchat.words import Mode, matches, parse_query
from tests.store.contract import StoreCase
from tests.store.support import new_message

#: Pieces that texts and searches are made of, so that searches find something.
PIECES = (
    *("hello", "Hello", "world", "EUR/USD", "c++", "e-mail", "naïve", "NAIVE", "Straße", "STRASSE", "İstanbul"),
    *("北京", "京", "我住在北京市", "東京都", "東", "カタカナ", "ｶﾀｶﾅ", "ひらがな", "年", "12月", "第3回"),
    *("สวัสดี", "สวัสดีครับ", "ກ", "السَّلامُ", "السلام", "أحمد", "احمد", "שָׁלוֹם", "שלום", "हिन्दी", "한국어"),
    *("👍", " ", "  ", ", ", "、", "\n", "-", "_", '"', "'", "*", "(", "NEAR", "OR", "AND", "NOT", "1", "٣"),
)
TEXTS = st.lists(st.sampled_from(PIECES) | st.text(max_size=3), max_size=6).map("".join)
MODES = st.sampled_from(("all", "any", "exact"))


class SearchContract(StoreCase):
    """Searches by words, authors, times and chat ids."""

    def post(self, *texts: str, room_id: int = 1, author_id: int = 1, later: float = 1.0) -> None:
        for text in texts:
            self.clock.advance(later)
            self.result_of(self.store.append([new_message(room_id, text, author_id=author_id)]))

    def find(self, **wanted: Any) -> dict[int, Found]:
        found: dict[int, Found] = self.result_of(
            self.store.read(find_messages, HistoryQuery(**{"rooms": (1, 2), **wanted}))
        )
        return found

    def texts(self, **wanted: Any) -> list[str]:
        return [message.chat for found in self.find(**wanted).values() for message in found.messages]

    def test_words_in_any_script(self) -> None:
        """Everything that people would call the same is found, from one character on."""
        stories = (
            ("我住在北京市中心", ("北京", "京", "我", "心", "市中心"), ("北中", "上")),
            ("カタカナとひらがな", ("ｶﾀｶﾅ", "かな" * 0 + "がな", "ナ"), ("カカ",)),
            ("สวัสดีครับ", ("สวัสดี", "ครับ", "บ"), ("สบ",)),
            ("السَّلامُ عليكم", ("السلام", "سلام" * 0 + "عليكم"), ("سلام",)),
            ("Die Straße ist naïve", ("strasse", "NAIVE", "straße"), ("strass",)),
            ("EUR/USD, C++ and e-mail", ("eur/usd", "EUR USD", "c++", "mail", "USD, C"), ("usd/eur", "c++20")),
            ("2024年12月25日", ("12月", "年12月", "月", "2024"), ("11月", "13月")),
        )
        for text, finding, missing in stories:
            self.post(text)
            for wanted in finding:
                self.assertIn(text, self.texts(words=parse_query(wanted, "all")), wanted)
            for wanted in missing:
                self.assertNotIn(text, self.texts(words=parse_query(wanted, "all")), wanted)
