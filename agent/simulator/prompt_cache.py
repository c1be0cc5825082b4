"""Prompts that lost their slot, kept in main memory: since Ollama 0.30 a prompt hits after another came between.

Source: llama.cpp PR #16391, "server : host-memory prompt caching"; its default limit is 8192 MiB.
"""

from __future__ import annotations

import threading

from .tokenizer import common_prefix_length


class PromptCache:
    """Up to `limit_bytes` of prompts at `bytes_per_token` each, the oldest dropped first. 0 bytes keep none.

    Safe to use from several threads.
    """

    def __init__(self, limit_bytes: int = 0, bytes_per_token: int = 1) -> None:
        self._limit_tokens = limit_bytes // bytes_per_token
        self._kept: list[list[str]] = []
        self._lock = threading.Lock()

    def keep(self, tokens: list[str]) -> None:
        """Remember what a slot held."""
        if not tokens or len(tokens) > self._limit_tokens:
            return
        with self._lock:
            self._kept = [one for one in self._kept if one != tokens] + [tokens]
            while sum(map(len, self._kept)) > self._limit_tokens:
                self._kept.pop(0)

    def best_for(self, prompt: list[str]) -> list[str]:
        """The kept tokens that start most like `prompt`; empty when none does."""
        with self._lock:
            best = max(self._kept, key=lambda one: common_prefix_length(one, prompt), default=[])
        return best if common_prefix_length(best, prompt) else []
