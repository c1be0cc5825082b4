"""The embedding cells: one request with a batch of texts, timed as a whole.

The texts of a batch are equally long and begin with nonces derived from the first one's, which alone is recorded:
nonce i is the SHA-256 of "<first nonce>/<i>" as a number, its last 16 digits.
"""

from __future__ import annotations

import hashlib
from datetime import datetime, timezone

from .cells_bench import Bench, sample_error
from .contract import CellSpec, Prompt, Sample
from .measure_setting import Setting
from .metrics import NS_PER_S
from .ollama import Generation
from .prompts import PromptText, write_prompt


def take_embed(bench: Bench, spec: CellSpec, index: int, warmup: bool) -> list[Sample]:
    """One request with `spec.batch` texts of `spec.prompt_tokens` each."""
    return [embed_sample(bench, spec, index, warmup, spec.prompt_tokens, spec.batch)]


def embed_sample(
    bench: Bench, spec: CellSpec, index: int, warmup: bool, target_tokens: int, batch: int, may_load: bool = False
) -> Sample:
    """One sample of `batch` texts. Raises Stopped when cancelled meanwhile."""
    first = write_prompt(bench.calibration.characters_for(target_tokens))
    texts = batch_of(first, batch)
    started_at = datetime.now(timezone.utc)
    answer = embed(bench, texts, bench.setting(spec), bench.first_byte_s(spec, may_load or warmup))
    bench.calibration.observe(len(first.text), each_of(answer, batch), target_tokens)
    placement, loaded = bench.placement()
    return Sample(
        cell=spec.name,
        index=index,
        warmup=warmup,
        raw=answer.raw,
        timing=bench.timing(answer, started_at),
        prompt=described(texts, first.nonce, target_tokens * batch),
        placement=placement,
        loaded_models=loaded,
        error=sample_error(answer),
    )


def embed(bench: Bench, texts: list[str], setting: Setting, first_byte_s: float) -> Generation:
    """One request, asked again shortly when Ollama is busy; its speed is learned."""
    body = bench.embed_body(texts, setting)
    limits = bench.limits(first_byte_s, 0)
    answer = bench.patiently(lambda: bench.ollama.embed(body, limits, bench.cancel))
    bench.pace.learn(answer.raw, answer.chunks)
    bench.pace.learn_embedding(answer.raw.prompt_eval_count, (answer.e2e_ns or 0) / NS_PER_S)
    return answer


def each_of(answer: Generation, batch: int) -> int:
    """Tokens of one text of the batch; 0 when Ollama did not count."""
    return round((answer.raw.prompt_eval_count or 0) / batch)


def batch_of(first: PromptText, batch: int) -> list[str]:
    """`batch` texts of the first one's length."""
    rest = first.text[len(first.nonce) :]
    return [first.text, *(nonce_of(first.nonce, i) + rest for i in range(1, batch))]


def nonce_of(first: str, i: int) -> str:
    """The nonce of text `i`, as long as the first one's."""
    number = int(hashlib.sha256(f"{first}/{i}".encode()).hexdigest(), 16)
    return str(number % 10 ** len(first)).zfill(len(first))


def described(texts: list[str], nonce: str, target_tokens: int) -> Prompt:
    """The record of a batch: characters and digest are of all texts together, one after the other."""
    digest = hashlib.sha256("".join(texts).encode()).hexdigest()
    return Prompt(target_tokens, sum(map(len, texts)), digest, nonce)
