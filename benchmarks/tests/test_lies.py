"""Lies that a server of results tells: machines compared at different num_ctx, and missing values that became 0."""

from dataclasses import replace

import pytest

from benchmarks import compare
from benchmarks.listing import ResultFilters
from benchmarks.statistics import Verdict
from benchmarks.tests import world

LLAMA = world.MODELS[0]


def told(tell, lie, naive, truth, ours):
    """Say what the naive method, the truth and OBT came to; `python -m agent.bench --only lies` prints it."""
    for name, text in (("lie", lie), ("naive", naive), ("truth", truth), ("ours", ours)):
        tell(name, text)


def deliver(client, rate, change=lambda run: run):
    """A result whose cells are changed on the way."""
    offer = world.running(client, LLAMA, cells=["tg128"])
    body = world.body(offer, rate)
    return world.deliver(client, offer, replace(body, cells=[change(run) for run in body.cells]))


def median_of(result):
    return result.cells[0]["metrics"]["decode_rate"]["median"]


@pytest.fixture
def forge(database):
    return world.machine("forge")


def test_machines_at_different_num_ctx_are_not_compared(record_property, forge):
    atlas = world.machine("atlas")
    wide = lambda run: replace(run, spec=replace(run.spec, num_ctx=10240))  # noqa: E731
    fast = [deliver(forge, 150.0 + i) for i in range(4)]
    slow = [deliver(atlas, 100.0 + i, wide) for i in range(4)]
    naive = sum(map(median_of, fast)) / sum(map(median_of, slow))

    (row,) = compare.compare(ResultFilters(client=str(atlas.id)), ResultFilters(client=str(forge.id))).rows

    told(
        record_property,
        "machines compared at different num_ctx",
        f"forge is {100 * naive - 100:.0f} % faster than atlas",
        "one ran with 4,096 tokens of context, the other with 10,240",
        f"{row.verdict}: {' '.join(row.reasons)}",
    )
    assert naive > 1.4
    assert (row.verdict, row.change, row.test) == (Verdict.NOT_COMPARABLE, None, None)
    assert "Context length: 10240 against 4096." in row.reasons


def test_missing_values_do_not_become_0(record_property, forge):
    def forget(run):
        """Two of eight answers came without eval_duration; both were asked for again."""
        spoilt = [sample for sample in run.samples if not sample.warmup][:2]
        lost = [replace(one, index=50 + i, raw=replace(one.raw, eval_duration=None)) for i, one in enumerate(spoilt)]
        return replace(run, samples=[*run.samples, *lost])

    result = deliver(forge, 100.0, forget)
    (cell,) = result.cells
    (block,) = world.results.samples_of(result)
    raw = [sample["raw"] for sample in block.samples if not sample["warmup"]]
    rates = [127 / (one["eval_duration"] or 0) * 1e9 if one.get("eval_duration") else 0 for one in raw]
    naive = sum(rates) / len(rates)
    found = cell["metrics"]["decode_rate"]

    told(
        record_property,
        "missing values turned into 0",
        f"{naive:.0f} tok/s, and 0.00 J/token without a power meter",
        "100 tok/s, and no energy that anybody knows",
        f"{found['median']:.1f} tok/s of {found['n']}, 2 left out (no_counters); energy — "
        f"({cell['missing']['energy_per_output_token']})",
    )
    assert len(raw) == 8
    assert naive < 80
    assert found["median"] == pytest.approx(100, rel=0.01)
    assert (found["n"], cell["flags"], cell["valid"]) == (6, {"no_counters": 2}, True)
    assert "energy_per_output_token" not in cell["metrics"]
    assert cell["missing"]["energy_per_output_token"]
