"""The cells of fixed prompts: a text that somebody wrote, sent as it is, to be answered at its own length.

A fresh nonce and a newline stand before it, so that no prompt cache has seen it. It is sent raw, without the model's
template: what the text says about thinking or roles is the author's own.
"""

from __future__ import annotations

from .cells_bench import Bench
from .contract import CellSpec, Sample
from .prompts import fixed_prompt


def take_prompt(bench: Bench, spec: CellSpec, index: int, warmup: bool) -> list[Sample]:
    """One request with the cell's text and at most `spec.output_tokens` of answer."""
    return [bench.ask(spec, index, warmup, fixed_prompt(spec.text or ""))]
