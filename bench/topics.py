"""What topic feeds cost a post, a start and the memory; see bench/README.md.

Run as ``python bench/topics.py``. No server is started: the index and the followed rooms are those of one,
filled with users who follow rooms and have nothing but the built-in feed for their own names.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY))

from pchat.directory.local import LocalDirectory  # noqa: E402 - found by the line above
from pchat.rooms.category import Category  # noqa: E402
from pchat.rooms.room import Room  # noqa: E402
from pchat.store.people import PeopleSnapshot, PrincipalRecord  # noqa: E402
from pchat.topics.feeds import TopicFeeds  # noqa: E402

FIRST = [
    f"{start}{end}" for start in ("Jo", "Mar", "An", "Pe", "Li") for end in ("hn", "ia", "na", "ter", "sa")
]
WORDS = [f"word{number}" for number in range(5_000)]


def directory_of(users: int, chance: random.Random) -> LocalDirectory:
    """Make accounts whose first names are shared by many."""
    directory = LocalDirectory()
    records = []
    for number in range(1, users + 1):
        first, uri = chance.choice(FIRST), f"sip:user{number}@example.com"
        name = f"{first} Family{number % 20_000}"
        records.append(PrincipalRecord(number, str(number), uri, uri, 5, f"user{number}", name, "", "", 0))
    directory.load(PeopleSnapshot(tuple(records), ()))
    return directory


def pairs_of(users: int, rooms: int, each: int, chance: random.Random) -> Iterator[tuple[int, int]]:
    """Let everybody follow some rooms, and every fourth one room 1 as well."""
    for user in range(1, users + 1):
        chosen = set(chance.sample(range(2, rooms), each))
        if user % 4 == 0:
            chosen.add(1)
        for room in sorted(chosen):
            yield user, room


def microseconds(work: Callable[[], object], seconds: float = 0.5) -> float:
    """Measure one call."""
    calls, start = 0, time.perf_counter()
    while (spent := time.perf_counter() - start) < seconds:
        work()
        calls += 1
    return 1e6 * spent / calls


def measure(options: argparse.Namespace) -> None:
    """Fill the memory, and post."""
    chance = random.Random(1)
    directory = directory_of(options.users, chance)
    pairs = list(pairs_of(options.users, options.rooms, options.each, chance))
    feeds = TopicFeeds(directory)
    start = time.perf_counter()
    feeds.load((), pairs)
    loading = time.perf_counter() - start
    tracemalloc.start()
    TopicFeeds(directory).load((), pairs)
    _, size = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    print(f"{options.users} users follow {len(pairs)} rooms: {size / 1e6:.0f} MB, loaded in {loading:.1f} s")
    category = Category(1, "c", "ma-cat://example.com/c", "C")
    large, nobody = (Room(number, str(number), f"r{number}", category, f"R{number}") for number in (1, 0))
    short, long = (" ".join(chance.choices(WORDS, k=count)) for count in (12, 1_000))
    texts = {
        "12 words, nobody's": short,
        "1000 words, nobody's": long,
        "12 words, one user's name": f"{short} John Family7",
        "12 words, a first name of many": f"{short} John",
        "12 words, the name of one who follows": f"{short} user4",
    }
    print(f"a room that nobody follows: {microseconds(lambda: feeds.anybody_follows(nobody)):.2f} µs a post")
    for what, text in texts.items():
        caught = len(feeds.caught(large, 0, text, lambda user: True))
        spent = microseconds(lambda text=text: feeds.caught(large, 0, text, lambda user: True))  # type: ignore[misc]  # mypy cannot infer a lambda with a default
        print(f"{what}: {spent:.1f} µs a post, {caught} hits")


def main() -> None:
    """Read the command line, and measure."""
    parser = argparse.ArgumentParser(description="Topic feeds: cost of a post, of a start, of memory.")
    parser.add_argument("--users", type=int, default=80_000)
    parser.add_argument("--rooms", type=int, default=32_000)
    parser.add_argument("--each", type=int, default=16, help="rooms that each user follows")
    measure(parser.parse_args())


if __name__ == "__main__":
    main()
