"""Every published number of a stored result, computed again by a second reader who knows docs/measuring.md only."""

import json
import random
import re
from dataclasses import replace

import pytest

from agent.obt_agent import contract, energy, rounds
from agent.obt_agent.metrics import APPLICABLE, FORMULAS
from agent.obt_agent.validity import SENTENCES
from benchmarks.tests import world
from benchmarks.tests.api_calls import Api
from benchmarks.tests.second_reader import recomputed, same, summary
from obt_site import env

pytestmark = pytest.mark.django_db

DOCUMENT = (env.ROOT / "docs/measuring.md").read_text()
WHOLE_SUITE = (
    "load", "pp128", "pp512", "tg128", "tg128@2048", "chat512/128", "c1", "c4",
)  # fmt: skip
# The world's models write; one that embeds would have none of the cells above.
EMBED = contract.CellSpec("embed256x32", "embed", 6, 1, 256, 0, 4096, batch=32)
FIELDS = ("median", "low", "high", "coverage", "iqr", "cv", "minimum", "maximum", "n")


# -- a stored result -------------------------------------------------------------------------------------------------


def uneven(body, seed=11):
    """The world's result with times that scatter, a left-out sample, a cached prompt, and GPU readings with energy."""
    dice, runs, clock = random.Random(seed), [], 8.0
    for run in [*body.cells, world.run_of(EMBED)]:
        samples = []
        for sample in run.samples:
            factor = 1 + dice.gauss(0, 0.02)
            raw, timing = sample.raw, sample.timing
            stretched = {name: round(getattr(raw, name) * factor) for name in STRETCHED_RAW if getattr(raw, name)}
            raw = replace(raw, **stretched, prompt_eval_cached_count=2 if run.spec.kind == "prefill" else None)
            times = {name: round(getattr(timing, name) * factor) for name in STRETCHED_TIMING if getattr(timing, name)}
            chunks = [round(at_ns * factor) for at_ns in timing.chunk_ns]
            together = run.spec.kind == "concurrency" and sample.slot
            clock = clock + 0.013 if together else clock + 3.0
            samples.append(
                replace(sample, raw=raw, timing=replace(timing, start_s=round(clock, 6), chunk_ns=chunks, **times))
            )
        if run.spec.kind == "decode":
            early = replace(samples[-1].raw, done_reason="stop")
            samples.append(replace(samples[-1], index=samples[-1].index + 1, raw=early))
        slo = contract.Slo(ttft_ms=580.0, itl_ms=11.0) if run.spec.kind == "concurrency" else None
        runs.append(replace(run, samples=samples, spec=replace(run.spec, slo=slo)))
    return replace(body, cells=runs, telemetry=readings(clock + 10, dice))


STRETCHED_RAW = ("total_duration", "load_duration", "prompt_eval_duration", "eval_duration")
STRETCHED_TIMING = ("ttft_ns", "ttfo_ns", "last_token_ns", "e2e_ns")


def readings(length_s, dice):
    """Two GPUs, one with an energy counter and one with power only, and an idle phase."""
    t_s = [round(i * 0.2, 4) for i in range(int(length_s * 5))]
    counted, total = [], 5_000_000.0
    for _ in t_s:
        total += dice.uniform(20_000, 70_000)
        counted.append(total)
    power = [None if i % 97 == 0 else dice.uniform(80, 300) for i in range(len(t_s))]
    series = [contract.Series("gpu_0_energy_mj", "mJ", counted), contract.Series("gpu_1_power_w", "W", power)]
    return contract.Telemetry(200, t_s, series, [contract.Phase("idle", "idle", 1.05, 6.95)], {}, True)


@pytest.fixture
def answers(database):
    """What the API says of one result of the whole suite: itself, its samples, its telemetry."""
    forge = world.machine("forge")
    offer = world.running(forge, world.MODELS[0], cells=WHOLE_SUITE)
    result = world.deliver(forge, offer, uneven(world.body(offer)))
    api = Api()
    return [api.get(f"results/{result.id}{part}").json() for part in ("", "/samples", "/telemetry")]


def test_every_published_number_is_computed_again_from_the_raw_samples(answers):
    result, _, _ = answers

    found = recomputed(*answers)

    off = [
        (cell["cell"], name, field, published[field], found[cell["cell"]].get(name, {}).get(field))
        for cell in result["cells"]
        for name, published in cell["metrics"].items()
        for field in FIELDS
        if not same(published[field], found[cell["cell"]].get(name, {}).get(field))
    ]
    assert off == []


def test_the_comparison_covers_every_kind_of_number(answers):
    result, _, _ = answers

    published = {name for cell in result["cells"] for name in cell["metrics"]}

    assert set(FORMULAS) == published
    assert [cell["left_out"] for cell in result["cells"] if cell["kind"] == "decode"] == [1, 1]


def test_a_number_that_is_a_thousandth_off_would_be_found(answers):
    result, samples, telemetry = answers
    cell = next(cell for cell in result["cells"] if cell["cell"] == "tg128")
    cell["metrics"]["decode_rate"]["median"] *= 1.001

    found = recomputed(result, samples, telemetry)

    assert not same(cell["metrics"]["decode_rate"]["median"], found["tg128"]["decode_rate"]["median"])


# -- the document ----------------------------------------------------------------------------------------------------


def table_of(heading):
    """The rows of the section's tables, as lists of their columns."""
    section = DOCUMENT.split(f"\n## {heading}\n")[1].split("\n## ")[0].split("\n### ")[0]
    rows = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("| `")]
    return [[column.strip() for column in row] for row in rows]


def test_the_document_has_every_metric_and_no_other():
    assert sorted(row[0].strip("`") for row in table_of("Numbers")) == sorted(FORMULAS)


def test_the_document_says_which_numbers_each_kind_of_cell_has():
    section = DOCUMENT.split("| kind | metrics |")[1].split("\n\n")[0]
    told = {}
    for kinds, names in re.findall(r"^\| (\w+(?:, \w+)?) \| (.*) \|$", section, re.MULTILINE):
        energies = set(energy.APPLICABLE["chat"]) if "all four of energy" in names else set()
        told |= {kind: set(re.findall(r"`(\w+)`", names)) | energies for kind in kinds.split(", ")}

    shared = {"concurrency": set(rounds.ROUND_METRICS)}
    assert told == {
        kind: set(names) | shared.get(kind, set()) | set(energy.APPLICABLE.get(kind, ()))
        for kind, names in APPLICABLE.items()
    }


def test_the_document_has_every_gate_with_its_sentence_and_no_other():
    assert {row[0].strip("`"): row[1] for row in table_of("Gates")} == SENTENCES


def test_the_worked_example_is_right():
    samples, published = (json.loads(block) for block in re.findall(r"```json\n(.*?)```", DOCUMENT, re.DOTALL))

    found = summary([(one["eval_count"] - 1) / one["eval_duration"] * 1e9 for one in samples])

    assert {name: round(found[name], 4) for name in ("median", "low", "high", "iqr")} == {
        name: published[name] for name in ("median", "low", "high", "iqr")
    }
    assert (found["n"], found["coverage"], round(found["cv"], 6)) == (6, published["coverage"], published["cv"])
