"""Before the cells: load the model with a context length, learn how it counts tokens, and probe how fast it is.

The probe is a prompt of about 128 tokens and 16 tokens of answer (a model that only embeds: one text of 128 tokens).
From its speeds each cell's time is predicted.
"""

from __future__ import annotations

from .cancel import Released
from .cells_bench import Bench
from .cells_embed import each_of, embed
from .contract import SampleError
from .measure_outcome import failed_by, raise_if_fatal
from .ollama import Generation
from .prompts import PROBE_OUTPUT_TOKENS, SHORTEST_NONCE_CHARACTERS, probe_lengths, write_prompt

PROBE_PROMPT_TOKENS = 128


def prepare(bench: Bench, num_ctx: int) -> None:
    """Load the model with this context length; the first time, calibrate and probe. Raises JobFailed or Released."""
    if bench.calibration.known:
        ask(bench, SHORTEST_NONCE_CHARACTERS, num_ctx, 1)
        return
    short, longest = probe_lengths(num_ctx)[0], probe_lengths(num_ctx)[-1]
    ask(bench, short, num_ctx, 1)
    characters = bench.calibration.characters_for(PROBE_PROMPT_TOKENS)
    ask(bench, min(max(characters, short + 1), max(longest, short + 1)), num_ctx, PROBE_OUTPUT_TOKENS)


def ask(bench: Bench, characters: int, num_ctx: int, output_tokens: int) -> None:
    """One request that belongs to no cell, learned from."""
    if bench.cancel.finishing:
        raise Released
    text = write_prompt(characters).text
    patience_s = bench.offer.load_timeout_s
    if bench.only_embeds:
        answer = embed(bench, [text], num_ctx, patience_s)
    else:
        answer = bench.send(text, num_ctx, output_tokens, patience_s)
    raise_if_useless(answer)
    bench.calibration.observe(len(text), each_of(answer, 1))


def raise_if_useless(answer: Generation) -> None:
    """Raise JobFailed unless the request ended, or ended early only because the model had nothing more to say."""
    if answer.error is not None:
        raise_if_fatal(SampleError(answer.error.kind, answer.error.message))
        if answer.error.kind != "not_done":
            raise failed_by(answer.error)
