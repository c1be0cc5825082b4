"""Each cell of a result as its page tells it: the numbers, how sure they are, what was left out, why it ended."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agent.obt_agent.contract import CellSpec
from benchmarks import conditions
from benchmarks.documents import Result
from benchmarks.presenters import figures, samples, trust
from benchmarks.presenters.figures import Figure
from benchmarks.presenters.machines import plural
from benchmarks.presenters.samples import Judged

# The numbers of a kind that stand under its headline; all others are one click away.
BESIDE: dict[str, tuple[str, ...]] = {
    "chat": ("itl", "e2e_latency"),
    "prompt": ("itl", "e2e_latency"),
    "concurrency": ("observed_parallelism", "ttft_spread", "goodput"),
    "embed": ("input_token_rate",),
}
ENERGY = ("energy_per_output_token", "energy_per_prompt_token")
MOST_TEXT = 80  # characters of a fixed prompt


@dataclass(frozen=True)
class CellView:
    """One cell. `rows` are its figures with the headline first; `more` every figure with its spread and formula."""

    name: str
    words: str
    rows: Sequence[Figure]
    more: Sequence[Figure]
    n: int
    planned: str
    warmups: int
    left_out: int
    skipped: str | None
    stopped: str | None
    drift: str
    has_drifted: bool
    left_out_why: Sequence[tuple[str, str]]
    plan: str
    conditions: Sequence[tuple[str, str]]
    comparison_key: str | None
    is_chosen: bool

    @property
    def of_planned(self) -> str:
        return f"{self.n} of {self.planned}"

    @property
    def anchor(self) -> str:
        """An element id: names hold brackets and slashes."""
        return "cell-" + "".join(letter if letter.isalnum() else "-" for letter in self.name)


def of_result(result: Result, judged: Sequence[Judged], chosen: str | None) -> list[CellView]:
    """Every cell, in the order of their first samples; those that were skipped come last."""
    by_name = {each.spec.name: each for each in judged}
    drifts = trust.drifts_of(result, judged)
    ordered = sorted(result.cells, key=lambda cell: (bool(cell.get("skipped")), cell.get("order") or 0))
    return [_cell(cell, by_name.get(cell["cell"]), drifts.get(cell["cell"]), chosen) for cell in ordered]


def _cell(cell: Mapping[str, Any], mine: Judged | None, drift: Any, chosen: str | None) -> CellView:
    spec = mine.spec if mine else None
    skipped = cell.get("skipped")
    headline = figures.headline_of(cell)
    return CellView(
        name=cell["cell"],
        words=in_words(spec) if spec else "",
        rows=[headline] if skipped else [headline, *_beside(cell, headline)],
        more=[] if skipped else [figures.figure(cell, name) for name in _names(cell)],
        n=cell["n"],
        planned=_planned(cell, spec),
        warmups=cell.get("warmups") or 0,
        left_out=cell["left_out"],
        skipped=str(skipped).removeprefix("skipped: ") if skipped else None,
        stopped=sentence(cell.get("stopped")) or None,
        drift=trust.drift_sentence(drift) if drift else "",
        has_drifted=bool(drift and drift.drifted),
        left_out_why=samples.left_out(mine) if mine else [],
        plan=figures.against_plan(cell.get("expected_s"), cell.get("took_s")),
        conditions=condition_facts(cell.get("conditions") or {}),
        comparison_key=cell.get("comparison_key"),
        is_chosen=cell["cell"] == chosen,
    )


def _planned(cell: Mapping[str, Any], spec: CellSpec | None) -> str:
    """`6`, or `6 to 15` of a cell that goes on until its interval is narrow enough."""
    most = spec.max_repetitions if spec else None
    fewest = cell["planned"]
    return f"{fewest} to {most}" if most and most > fewest else str(fewest)


def _names(cell: Mapping[str, Any]) -> list[str]:
    return list(dict.fromkeys([cell["headline"], *cell["metrics"], *(cell.get("missing") or {})]))


def _beside(cell: Mapping[str, Any], headline: Figure) -> list[Figure]:
    """The figures under the headline: those of the kind that have a number, and energy where it could be read."""
    names = [*BESIDE.get(cell["kind"], ()), *ENERGY]
    if headline.value is None:
        return []
    return [figures.figure(cell, name) for name in names if name in cell["metrics"] and name != headline.metric]


def sentence(words: str | None) -> str:
    """With a capital and a full stop."""
    text = (words or "").strip()
    return text[:1].upper() + text[1:].rstrip(".") + "." if text else ""


def in_words(spec: CellSpec) -> str:
    """What a cell does: `decode of 128 tokens after 2 048; context 4096`."""
    parts = [_what(spec), f"context {spec.num_ctx}"]
    asked = (("num_gpu", spec.num_gpu), ("num_thread", spec.num_thread), ("num_batch", spec.num_batch))
    parts += [f"{name} {value}" for name, value in asked if value is not None]
    if spec.slo is not None:
        limits = (("TTFT", spec.slo.ttft_ms), ("ITL", spec.slo.itl_ms), ("E2E", spec.slo.e2e_ms))
        parts += [f"{name} at most {value:g} ms" for name, value in limits if value is not None]
    return "; ".join(parts)


def _what(spec: CellSpec) -> str:
    given, out = spec.prompt_tokens, spec.output_tokens
    if spec.kind == "load":
        return "the model is unloaded and loaded again, page cache warm"
    if spec.kind == "prefill":
        return f"prefill of {given} tokens"
    if spec.kind == "decode":
        return f"decode of {out} tokens after {spec.depth or 'a few'}"
    if spec.kind == "embed":
        return f"{plural(spec.batch, 'text')} of {given} tokens embedded"
    if spec.kind == "concurrency":
        return f"{plural(spec.concurrency, 'request')} at a time, {given} tokens in, {out} out"
    if spec.kind == "prompt":
        text = " ".join((spec.text or "").split()) or "a fixed prompt"
        return f"“{text[:MOST_TEXT]}{'…' if len(text) > MOST_TEXT else ''}”, at most {out} tokens out"
    return f"{given} tokens in, {out} out"


def condition_facts(known: Mapping[str, str]) -> list[tuple[str, str]]:
    """Conditions as (what it is called, value); one of a newer version keeps its own name."""
    return [(_called(name), value) for name, value in sorted(known.items(), key=lambda item: _place(item[0]))]


def _called(name: str) -> str:
    try:
        return conditions.words(name)[1]
    except KeyError:
        return name.replace("_", " ").capitalize()


def _place(name: str) -> tuple[int, str]:
    names: Iterable[str] = conditions.WORDS
    order = list(names)
    return (order.index(name) if name in order else len(order), name)
