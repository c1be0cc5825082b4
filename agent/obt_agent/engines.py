"""Which engine produced Ollama's counters. The same API has had four of them, and they count differently.

Sources: the version table of Ollama's releases (≤ 0.3 C++ server, 0.4 – 0.24 Go runners, ≥ 0.30 llama-server for GGUF
and the MLX runner for safetensors), and the runners' own sources for what `eval_duration` starts with.
"""

from __future__ import annotations

import re
from enum import Enum
from typing import Optional

GO_RUNNERS_SINCE = (0, 4, 0)
LLAMA_SERVER_SINCE = (0, 30, 0)
# 0.30.0 alone left cached tokens out of prompt_eval_count; 0.30.1 counts the whole prompt again.
UNCACHED_COUNT_ONLY = (0, 30, 0)

_VERSION = re.compile(r"^v?(\d+)\.(\d+)(?:\.(\d+))?")


class Engine(str, Enum):
    """Who counted. The value is what results show."""

    CPP_SERVER = "cpp-server"
    GO_RUNNER = "go-runner"
    LLAMA_SERVER = "llama-server"
    MLX = "mlx"

    @property
    def first_token_is_timed(self) -> bool:
        """Whether `eval_duration` covers the first token too. Only MLX starts its clock before it."""
        return self is Engine.MLX


def version_numbers(version: Optional[str]) -> Optional[tuple[int, int, int]]:
    """`0.24.0-rc1` → (0, 24, 0). None when it does not begin like a version."""
    found = _VERSION.match(version or "")
    return (int(found[1]), int(found[2]), int(found[3] or 0)) if found else None


def engine_of(version: Optional[str], model_format: Optional[str]) -> Engine:
    """The engine behind this Ollama and model format; a version nobody can read counts as today's Go runners."""
    numbers = version_numbers(version)
    if numbers is None:
        return Engine.MLX if model_format == "safetensors" else Engine.GO_RUNNER
    if numbers < GO_RUNNERS_SINCE:
        return Engine.CPP_SERVER
    if model_format == "safetensors":
        return Engine.MLX
    return Engine.LLAMA_SERVER if numbers >= LLAMA_SERVER_SINCE else Engine.GO_RUNNER


def counts_uncached_only(version: Optional[str]) -> bool:
    """Whether `prompt_eval_count` already leaves the cached tokens out."""
    return version_numbers(version) == UNCACHED_COUNT_ONLY
