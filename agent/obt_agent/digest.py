"""The identity of a description: the same content has the same hash on every machine and in every run."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from . import wire


def content_hash(value: Any) -> str:
    """SHA-256, in hex, of a wire value (a dataclass, or a list of them) as JSON with sorted keys."""
    text = json.dumps(wire.encode(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()
