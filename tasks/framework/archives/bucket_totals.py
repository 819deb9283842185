"""What became of a task's runs, counted in a bucket by keys alone and summed up now and then.

Each record that is kept has one count: an empty object whose key says when it was kept, whose it
is and how long it took, so that writing it again changes nothing. They lie newest first. A *sum*
lies among them and holds all that is behind it; so a reader lists from the newest on until it
meets a sum. Both are written once and never changed: whoever adds a sum, and however many do so
at a time, says the same.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from tasks.framework.archives.bucket_keys import counts_folder, digest, inverted_moment
from tasks.framework.records import Final
from tasks.framework.totals import Tally, Totals, add_up, bound, tallies

SETTLED_SECONDS = 900.0
"""A count that is written so long after its record was kept is lost: it may be summed up by then.

It takes somebody who dies between the two, and a tick that repairs it only a quarter later.
"""

SUMMED_UP = 500
"""So many settled counts are summed up by whoever reads them: a listing gives 1000 at a time."""

READING_SECONDS = 3600.0
"""Nobody reads totals for longer: what an older sum holds can be removed."""

MOST_TIMES = 10
"""So many times of one run are counted at most: they stand in a key, which has an end."""

LONGEST_SECONDS = 1e9
"""What takes longer counts as that long: thirty years."""

PAGE = 1000
_NAME = re.compile(r"[A-Za-z._]{1,40}")
_ATTEMPTS = 3
_MICRO = 1_000_000
_SUM = "+"  # sorts before the counts of the same moment

Sums = dict[Tally, tuple[int, int]]
"""How many, and how many microseconds: whole numbers, since the order of adding must not tell."""


class CountBucket(Protocol):
    """What counting needs of a bucket."""

    def add(self, key: str, value: bytes) -> bool:
        """Store only if absent; say whether it did."""

    def get(self, key: str) -> bytes | None:
        """Return the value, or None."""

    def list(self, prefix: str, *, after: str = "", limit: int = 1000) -> list[str]:
        """Return the first keys that begin with `prefix` and are greater than `after`."""

    def delete(self, *keys: str) -> None:
        """Remove them; absent is fine."""


@dataclass(frozen=True)
class Counting:
    """Counts in a bucket; `clock` gives seconds since 1970."""

    bucket: CountBucket
    clock: Callable[[], float]

    def totals(self, task: str) -> Totals:
        """Return what became of a task's runs, and sum up what has gathered."""
        counts, older, sums = self._read(task)
        oldest = inverted_moment(self.clock() - SETTLED_SECONDS)
        settled = [key for key in counts if _name(key)[:16] >= oldest]
        if len(settled) >= SUMMED_UP:
            self._sum_up(task, oldest, _plus(sums, settled))
            self._clear(task, older)
        whole = sorted(_plus(sums, counts).items())
        return add_up((tally, count, micros / _MICRO) for tally, (count, micros) in whole)

    def _read(self, task: str) -> tuple[list[str], str | None, Sums]:
        """Return the counts since the newest sum, that sum's key, and what it holds."""
        for _ in range(_ATTEMPTS):
            counts, key = self._tail(task)
            found = self.bucket.get(key) if key else b"[]"
            if found is not None:
                return counts, key, _sums(found)
        raise RuntimeError(f"the totals of {task} are removed faster than they can be read")

    def _tail(self, task: str) -> tuple[list[str], str | None]:
        folder = counts_folder(task)
        counts: list[str] = []
        after = ""
        while page := self.bucket.list(folder, after=after, limit=PAGE):
            for key in page:
                if key.endswith(_SUM):
                    return counts, key
                counts.append(key)
            after = page[-1]
        return counts, None

    def _sum_up(self, task: str, oldest: str, sums: Sums) -> None:
        rows = [[*tally, *both] for tally, both in sorted(sums.items())]
        self.bucket.add(f"{counts_folder(task)}{oldest}{_SUM}", json.dumps(rows).encode())

    def _clear(self, task: str, older: str | None) -> None:
        """Remove what a sum holds that is too old for anybody to read past it."""
        long_ago = inverted_moment(self.clock() - SETTLED_SECONDS - READING_SECONDS)
        if older is None or _name(older)[:16] < long_ago:
            return
        while held := self.bucket.list(counts_folder(task), after=older, limit=PAGE):
            self.bucket.delete(*held)


def count_key(record: Final, kept: float) -> str:
    """Return the count of a record that was kept at that moment.

    Of times with names that cannot be part of a key, and of more than `MOST_TIMES`, it has none.
    """
    times = {name: seconds for (_, name, _), seconds in tallies(record).items()}
    fit = [name for name in times if _NAME.fullmatch(name)][:MOST_TIMES]
    micros = {name: round(min(times[name], LONGEST_SECONDS) * _MICRO) for name in fit}
    told = "-".join(f"{name}{each}" for name, each in micros.items())
    name = f"{inverted_moment(kept)}-{digest(record.id)}-{record.state.value}-{told}"
    return f"{counts_folder(record.task)}{name}"


def _plus(sums: Sums, counts: Iterable[str]) -> Sums:
    whole = dict(sums)
    for key in counts:
        for tally, micros in _told(key).items():
            count, before = whole.get(tally, (0, 0))
            whole[tally] = count + 1, before + micros
    return whole


def _told(key: str) -> Mapping[Tally, int]:
    """Read a count: microseconds by what they are counted with."""
    _, _, state, *times = _name(key).split("-")
    found: dict[Tally, int] = {}
    for each in times:
        name = each.rstrip("0123456789")
        micros = int(each.removeprefix(name))
        found[state, name, bound(micros / _MICRO)] = micros
    return found


def _sums(value: bytes) -> Sums:
    return {(state, name, longest): (n, s) for state, name, longest, n, s in json.loads(value)}


def _name(key: str) -> str:
    return key.rpartition("/")[2]
