"""Before the cells of a setting: load the model with it, learn how it counts tokens, and probe how fast it is.

The probe is a prompt of about 128 tokens and 16 tokens of answer (a model that only embeds: one text of 128 tokens).
From its speeds each cell's time is predicted. It is made again where the layers, threads or batches are others.
"""

from __future__ import annotations

from typing import Optional

from .cancel import Released
from .cells_bench import Bench
from .cells_embed import each_of, embed
from .cells_load import unload
from .contract import SampleError
from .measure_outcome import failed_by, raise_if_fatal
from .measure_setting import Setting, is_inherited
from .ollama import Generation
from .prompts import PROBE_OUTPUT_TOKENS, SHORTEST_NONCE_CHARACTERS, probe_lengths, write_prompt

PROBE_PROMPT_TOKENS = 128


def prepare(bench: Bench, setting: Setting, before: Optional[Setting] = None) -> None:
    """Load the model with this setting; calibrate and probe where needed. Raises JobFailed or Released.

    `before`: what this job had loaded it with, None at its beginning.
    """
    if is_inherited(setting, before) and any(bench.is_ours(model) for model in bench.loaded() or []):
        raise_if_fatal(unload(bench))
    bench.pace.enter(setting)
    if not bench.calibration.known:
        calibrate(bench, setting)
    elif bench.pace.is_probed:
        ask(bench, SHORTEST_NONCE_CHARACTERS, setting, 1)
    else:
        ask(bench, bench.calibration.characters_for(PROBE_PROMPT_TOKENS), setting, PROBE_OUTPUT_TOKENS)
    bench.pace.tokens_per_character = bench.calibration.tokens_per_character()


def calibrate(bench: Bench, setting: Setting) -> None:
    """Two requests: a short one that loads, then the probe, as long as the first one's count says."""
    short, longest = probe_lengths(setting.num_ctx)[0], probe_lengths(setting.num_ctx)[-1]
    ask(bench, short, setting, 1)
    characters = bench.calibration.characters_for(PROBE_PROMPT_TOKENS)
    ask(bench, min(max(characters, short + 1), max(longest, short + 1)), setting, PROBE_OUTPUT_TOKENS)


def ask(bench: Bench, characters: int, setting: Setting, output_tokens: int) -> None:
    """One request that belongs to no cell, learned from."""
    if bench.cancel.finishing:
        raise Released
    text = write_prompt(characters).text
    patience_s = bench.offer.load_timeout_s
    if bench.only_embeds:
        answer = embed(bench, [text], setting, patience_s)
    else:
        answer = bench.send(text, setting, output_tokens, patience_s)
    raise_if_useless(answer)
    bench.calibration.observe(len(text), each_of(answer, 1))


def raise_if_useless(answer: Generation) -> None:
    """Raise JobFailed unless the request ended, or ended early only because the model had nothing more to say."""
    if answer.error is not None:
        raise_if_fatal(SampleError(answer.error.kind, answer.error.message))
        if answer.error.kind != "not_done":
            raise failed_by(answer.error)
