"""Samples in Go's benchmark format, as Ollama's cmd/bench prints them and benchstat reads them.

A line per step of every sample that counts. Ollama's tool measures one length at a time; a result has several, and
their numbers must not be thrown together, so each cell is announced by configuration lines (`cell: tg128`), by which
benchstat makes tables of their own.
"""

from collections.abc import Iterable, Iterator

from agent.obt_agent.metrics import NS_PER_S
from benchmarks.documents import Result
from benchmarks.judging import Judged, judged
from benchmarks.results import environment_of
from obt_site.text import one_line

NS_PER_MS = 1_000_000
RATES = (("prefill_rate", "prefill"), ("decode_rate", "generate"))
TIMES = (("ttft", "ttft", NS_PER_MS), ("load_time", "load", NS_PER_S), ("e2e_latency", "total", NS_PER_MS))


def lines(results: Iterable[Result]) -> Iterator[str]:
    """The file in pieces, one per result."""
    for result in results:
        yield _of(result)


def _of(result: Result) -> str:
    written = [_comment(result), *_configuration(result)]
    cell = None
    for one in judged(result, environment_of(result)):
        if not one.counts:
            continue
        if one.spec.name != cell:
            cell = one.spec.name
            written.append(f"cell: {one_line(cell)}")
        written += _steps(result.model, one)
    return "\n".join(written) + "\n\n"


def _comment(result: Result) -> str:
    about = (result.model, result.parameter_size, result.quantization, result.family)
    named = zip(("Model", "Params", "Quant", "Family"), about, strict=True)
    return "# " + " | ".join(f"{word}: {one_line(value)}" for word, value in named if value)


def _configuration(result: Result) -> list[str]:
    known = {
        "machine": result.client_name,
        "ollama": result.ollama_version,
        "quantization": result.quantization,
        "simulated": "true" if result.simulated else None,
        "result": result.id,
    }
    return [f"{key}: {one_line(value)}" for key, value in known.items() if value]


def _steps(model: str, one: Judged) -> Iterator[str]:
    name = f"BenchmarkModel/name={'_'.join(one_line(model).split())}"
    for metric, step in RATES:
        rate = one.value(metric)
        if rate:
            yield f"{name}/step={step} 1 {NS_PER_S / rate:.2f} ns/token {rate:.2f} token/sec"
    for metric, step, factor in TIMES:
        time = one.value(metric)
        if time is not None:
            yield f"{name}/step={step} 1 {round(time * factor)} ns/op"
