"""Limits and defaults for the fields of the wire contract's dataclasses."""

from __future__ import annotations

from dataclasses import field
from typing import Any

ID = {"min_length": 1, "max_length": 64}
SIZE = {"min": 0}
NS = {"min": 0}
SENTENCE = {"max_length": 2000}


def many(**limits: Any) -> Any:
    return field(default_factory=list, metadata=limits)


def mapping(**limits: Any) -> Any:
    return field(default_factory=dict, metadata=limits)


def optional(**limits: Any) -> Any:
    return field(default=None, metadata=limits)
