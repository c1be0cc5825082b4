"""Prefill and decode cells as `llama-bench -o json` writes its tests. What Ollama does not tell is null.

A cell with prompt and answer together (chat), several requests at a time or none at all equals no test of that tool,
and is left out. Rates are ours (`docs/measuring.md`): a decode rate leaves the first token out.
"""

import statistics
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from agent.obt_agent import contract
from benchmarks.documents import Result
from benchmarks.exports.flat import array
from benchmarks.judging import Judged, judged
from benchmarks.results import environment_of
from obt_site.formatting import iso

SWITCHES = {"on": True, "off": False}
METRIC_OF = {"prefill": "prefill_rate", "decode": "decode_rate"}


def json_array(results: Iterable[Result]) -> Iterator[str]:
    """One array, a test per prefill or decode cell that has samples that count."""
    yield from array(test for result in results for test in _tests(result))


def _tests(result: Result) -> Iterator[dict[str, Any]]:
    environment = environment_of(result)
    by_cell: dict[str, list[Judged]] = {}
    for one in judged(result, environment):
        if one.counts and one.spec.kind in METRIC_OF and _took_ns(one) is not None and _rate(one) is not None:
            by_cell.setdefault(one.spec.name, []).append(one)
    for found in by_cell.values():
        yield _test(result, environment, found)


def _rate(one: Judged) -> float | None:
    return one.value(METRIC_OF[one.spec.kind])


def _took_ns(one: Judged) -> int | None:
    raw = one.sample.raw
    return raw.prompt_eval_duration if one.spec.kind == "prefill" else raw.eval_duration


def _test(result: Result, environment: contract.RunEnvironment | None, found: Sequence[Judged]) -> dict[str, Any]:
    spec = found[0].spec
    took = [ns for one in found if (ns := _took_ns(one)) is not None]
    rates = [rate for one in found if (rate := _rate(one)) is not None]
    is_prefill = spec.kind == "prefill"
    return {
        "build_commit": None,
        "build_number": None,
        **_gear(environment),
        "backends": None,
        "model_filename": result.model,
        "model_type": " ".join(filter(None, (result.family, result.parameter_size, result.quantization))) or None,
        "model_size": environment.model.size_bytes if environment else None,
        "model_n_params": None,
        **_settings(environment, spec),
        "n_prompt": spec.prompt_tokens if is_prefill else 0,
        "n_gen": 0 if is_prefill else spec.output_tokens,
        "n_depth": spec.depth,
        "test_time": iso(result.created_at),
        "avg_ns": round(statistics.fmean(took)),
        "stddev_ns": round(statistics.stdev(took)) if len(took) > 1 else None,
        "avg_ts": statistics.fmean(rates),
        "stddev_ts": statistics.stdev(rates) if len(rates) > 1 else None,
        "samples_ns": took,
        "samples_ts": rates,
    }


def _gear(environment: contract.RunEnvironment | None) -> dict[str, Any]:
    if environment is None:
        return {"cpu_info": None, "gpu_info": None}
    gpus = ", ".join(gpu.name for gpu in environment.hardware.gpus)
    return {"cpu_info": environment.hardware.cpu.model, "gpu_info": gpus or None}


def _settings(environment: contract.RunEnvironment | None, spec: contract.CellSpec) -> dict[str, Any]:
    """What the request asked for, or the runner was seen to have; null: Ollama decided and did not say."""
    server = environment.server if environment else contract.ServerSettings()
    options = environment.options if environment else contract.PinnedOptions()
    return {
        "n_batch": options.num_batch if spec.num_batch is None else spec.num_batch,
        "n_ubatch": None,
        "n_threads": options.num_thread if spec.num_thread is None else spec.num_thread,
        "type_k": server.kv_cache_type,
        "type_v": server.kv_cache_type,
        "n_gpu_layers": options.num_gpu if spec.num_gpu is None else spec.num_gpu,
        "flash_attn": SWITCHES.get(server.flash_attention or ""),
    }
