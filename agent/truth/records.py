"""What really happened: per request, when it was there and when each piece of its answer was sent."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

MAX_RECORDS = 2000


class Sent(NamedTuple):
    """One line with text. A line that is sent in two halves counts from its second.

    `took_ns`: how long the call that sent it took. It was sent within that time; usually some 0.05 ms, much longer when
    the system held the server up in the middle of it.
    """

    sent_ns: int
    due_ns: int
    tokens: int
    took_ns: int


@dataclass
class Record:
    """Times in ns of `time.perf_counter_ns`, taken right before the call that sends.

    `done_ns`: the final message; None while it is not sent.
    """

    profile: str
    received_ns: int
    pieces: list[Sent] = field(default_factory=list)
    done_ns: int | None = None

    @property
    def first_ns(self) -> int:
        """When the first piece was sent."""
        return self.pieces[0].sent_ns

    @property
    def last_ns(self) -> int:
        """When the last piece was sent."""
        return self.pieces[-1].sent_ns

    @property
    def tokens(self) -> int:
        """Tokens of all pieces."""
        return sum(piece.tokens for piece in self.pieces)

    @property
    def latest_ns(self) -> int:
        """How late the latest piece was sent."""
        return max(piece.sent_ns - piece.due_ns for piece in self.pieces)

    @property
    def uncertain_ns(self) -> int:
        """How far off the times of the first and the last piece may be."""
        return max(self.pieces[0].took_ns, self.pieces[-1].took_ns)


class Records:
    """The last requests, in the order of their ends. Threads may share it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: deque[Record] = deque(maxlen=MAX_RECORDS)

    def add(self, record: Record) -> None:
        """Keep one that ended."""
        with self._lock:
            self._kept.append(record)

    def as_json(self) -> dict[str, Any]:
        """All of them, as `from_json` reads them."""
        with self._lock:
            return {"requests": [asdict(record) for record in self._kept]}


def from_json(value: Any) -> list[Record]:
    """What `GET /truth` answered."""
    return [
        Record(one["profile"], one["received_ns"], [Sent(*piece) for piece in one["pieces"]], one["done_ns"])
        for one in value["requests"]
    ]
