"""Can a result be trusted? What was checked, and what was found, as sentences."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agent.obt_agent.contract import Sample
from agent.obt_agent.statistics import SMALLEST_N_FOR_INTERVAL
from agent.obt_agent.validity import SENTENCES
from benchmarks.documents import Result
from benchmarks.presenters.samples import Judged
from benchmarks.statistics import Drift, drift
from obt_site import publishing
from obt_site.formatting import number

# What it means that a gate found nothing. Gates that only ever speak when something is wrong have no sentence here.
CLEAN: dict[str, str] = {
    "error": "No request failed.",
    "wrong_length": "Every answer had exactly the asked number of tokens.",
    "prompt_off_target": "Prompts are within 2 % of their target length.",
    "cache_hit": "Nothing came from the prompt cache.",
    "reloaded": "No reload inside a measured block.",
    "placement_changed": "The model stayed where it was, GPU or main memory.",
    "other_model_loaded": "No other model was loaded.",
    "nonsense_counters": "Ollama's counters agree with each other and with the agent's clock.",
}


@dataclass(frozen=True)
class Check:
    """One thing that was looked at. `tone`: good, warn or bad."""

    tone: str
    fact: str
    consequence: str = ""


def checks(result: Result, cells: Sequence[Judged], content: Mapping[str, Any] | None) -> list[Check]:
    """What is wrong first, then what was checked and found clean."""
    samples = [sample for run in cells for sample in run.samples if not sample.warmup]
    drifts = drifts_of(result, cells)
    found = [
        *_outcome(result),
        *_simulated(result),
        *_flags(result, samples),
        *_few(result),
        *_drifted(drifts),
        *_placement(result, content),
    ]
    if not samples:
        return found or [Check("warn", "Nothing was measured, so nothing could be checked.")]
    flagged = {flag for sample in samples for flag in sample.flags}
    clean = [Check("good", sentence) for flag, sentence in CLEAN.items() if flag not in flagged]
    return [*found, *_steady(drifts), *clean]


def _outcome(result: Result) -> list[Check]:
    if result.outcome == "succeeded":
        return []
    message = publishing.reason((result.error or {}).get("message") or "No reason was recorded.")
    return [Check("bad", f"The job ended early: {result.outcome.replace('_', ' ')}.", message)]


def _simulated(result: Result) -> list[Check]:
    if not result.simulated:
        return []
    return [Check("warn", "The simulator answered, not a real Ollama.", "These numbers say nothing about the machine.")]


def _flags(result: Result, samples: Sequence[Sample]) -> list[Check]:
    counts = Counter(flag for sample in samples for flag in sample.flags)
    where = {flag: [] for flag in counts}  # type: dict[str, list[str]]
    for sample in samples:
        for flag in sample.flags:
            if sample.cell not in where[flag]:
                where[flag].append(sample.cell)
    return [
        Check(
            "warn",
            f"{count} sample{' was' if count == 1 else 's were'} left out of {', '.join(where[flag])}.",
            SENTENCES.get(flag, flag.replace("_", " ")),
        )
        for flag, count in counts.items()
    ]


def _few(result: Result) -> list[Check]:
    """Cells with fewer counted samples than planned, or too few for an interval."""
    found = []
    for cell in result.cells:
        if cell["skipped"]:
            found.append(Check("warn", f"{cell['cell']} was skipped.", str(cell["skipped"])))
        elif cell["n"] < cell["planned"]:
            few = "Too few for a 95 % interval: a range is given." if cell["n"] < SMALLEST_N_FOR_INTERVAL else ""
            few = few if cell["n"] else "So it has no number."
            found.append(Check("warn", f"{cell['cell']} counts {cell['n']} of {cell['planned']} planned samples.", few))
    return found


def drifts_of(result: Result, cells: Sequence[Judged]) -> dict[str, Drift]:
    """How each cell's headline moved while it was measured; cells with too few values to tell are left out."""
    headline = {cell["cell"]: str(cell.get("headline")) for cell in result.cells}
    moved = {each.spec.name: drift(each.counted(headline.get(each.spec.name, ""))) for each in cells}
    return {name: found for name, found in moved.items() if found is not None}


def drift_sentence(one: Drift) -> str:
    """How a cell moved while it was measured, in words."""
    thirds = f"its last third differs from its first by {_signed(one.change)}"
    return f"Drifted: {thirds}. {_trend(one)}" if one.drifted else f"No drift: {thirds}."


def _trend(one: Drift) -> str:
    if one.steady:
        return f"It moved by {_signed(one.per_sample)} from sample to sample."
    return "There is no steady trend: single samples may have done it."


def _signed(share: float) -> str:
    """`+1.9 %`, `−7.3 %`, `0.0 %`"""
    text = number(100 * share, 1)
    return f"{'+' if share > 0 and text.strip('0.') else ''}{text} %"


def _drifted(drifts: Mapping[str, Drift]) -> list[Check]:
    return [
        Check(
            "warn",
            f"{cell} drifted: its last third differs from its first by {_signed(one.change)}.",
            _trend(one),
        )
        for cell, one in drifts.items()
        if one.drifted
    ]


def _steady(drifts: Mapping[str, Drift]) -> list[Check]:
    """Said when every cell that is long enough to tell held still."""
    if not drifts or any(one.drifted for one in drifts.values()):
        return []
    most = max(abs(one.change) for one in drifts.values())
    return [Check("good", f"No drift: first and last third differ by at most {100 * most:.1f} %.")]


def _placement(result: Result, content: Mapping[str, Any] | None) -> list[Check]:
    share = (result.placement or {}).get("gpu_share")
    if share is None:
        return [] if not result.cells else [Check("warn", "Where the model was placed is not known.")]
    if not (content or {}).get("gpus") and share > 0:
        return [Check("warn", "Ollama says that the model was on a GPU, and the agent could read none.")]
    if not (content or {}).get("gpus"):
        return [Check("good", "The whole model ran on the CPU; the machine has no GPU.")]
    if share >= 99.5:
        return [Check("good", "The whole model was on the GPU.")]
    where = "on the CPU" if share <= 0 else f"{100 - share:.0f} % on the CPU"
    return [Check("warn", f"The model ran {where} although the machine has a GPU.", "It is probably too large for it.")]
