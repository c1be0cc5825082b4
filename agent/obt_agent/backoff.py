"""Waiting between tries: exponential with full jitter, so that a fleet does not come back all at once.

Source: "Exponential Backoff And Jitter", AWS Architecture Blog, 2015 (the variant called "full jitter").
"""

from __future__ import annotations

import random
from typing import Optional

FIRST_CEILING_S = 1.0
HIGHEST_CEILING_S = 30.0
LONGEST_RETRY_AFTER_S = 300.0


class Backoff:
    """Seconds to wait before the next try; `reset` after a success."""

    def __init__(self, first_s: float = FIRST_CEILING_S, highest_s: float = HIGHEST_CEILING_S) -> None:
        self.first_s, self.highest_s = first_s, highest_s
        self.failures = 0

    def reset(self) -> None:
        self.failures = 0

    def next_s(self, retry_after_s: Optional[float] = None) -> float:
        """0 to min(highest, first · 2^failures); never less than what the server's Retry-After asks (5 min at most)."""
        ceiling = min(self.highest_s, self.first_s * 2 ** min(self.failures, 30))
        self.failures += 1
        return max(random.uniform(0, ceiling), min(retry_after_s or 0.0, LONGEST_RETRY_AFTER_S))  # noqa: S311 - no secret
