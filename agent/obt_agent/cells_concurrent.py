"""The concurrency cells: several requests of one shape at the same time, each in a thread of its own.

All threads are ready, prompts written, before the first request goes out; a barrier then lets them go together.
"""

from __future__ import annotations

import threading
from datetime import datetime, timezone
from typing import Optional

from .cells_bench import Bench, sample_error
from .contract import CellSpec, Sample
from .ollama import Generation
from .prompts import PromptText, write_prompt


def take_round(bench: Bench, spec: CellSpec, index: int, warmup: bool) -> list[Sample]:
    """One round: `spec.concurrency` requests, each a sample with its slot. Raises Stopped when cancelled meanwhile."""
    target = spec.depth + spec.prompt_tokens
    texts = [write_prompt(bench.calibration.characters_for(target)) for _ in range(spec.concurrency)]
    started_at = datetime.now(timezone.utc)
    answers = send_together(bench, spec, texts, bench.first_byte_s(spec, patient=warmup))
    bench.check()
    bench.calibration.observe(len(texts[0].text), answers[0].raw.prompt_eval_count, target)
    placement, loaded = bench.placement()
    return [
        Sample(
            cell=spec.name,
            index=index,
            warmup=warmup,
            raw=answer.raw,
            timing=bench.timing(answer, started_at),
            prompt=text.described(target),
            placement=placement,
            loaded_models=loaded,
            error=sample_error(answer),
            slot=slot,
        )
        for slot, (text, answer) in enumerate(zip(texts, answers))
    ]


def send_together(bench: Bench, spec: CellSpec, texts: list[PromptText], first_byte_s: float) -> list[Generation]:
    """The answers, in the order of `texts`."""
    limits = bench.limits(first_byte_s, spec.output_tokens)
    start = threading.Barrier(len(texts))
    answers: list[Optional[Generation]] = [None] * len(texts)

    def ask(slot: int) -> None:
        body = bench.body(texts[slot].text, bench.setting(spec), spec.output_tokens)
        start.wait()
        answers[slot] = bench.ollama.generate(body, limits, bench.cancel)

    threads = [threading.Thread(target=ask, args=(slot,), name=f"obt-slot-{slot}") for slot in range(len(texts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [answer for answer in answers if answer is not None]
