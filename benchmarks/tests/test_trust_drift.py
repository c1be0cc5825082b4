"""The drift check of the result page."""

from dataclasses import replace

import pytest

from benchmarks.presenters.result import result_view
from benchmarks.tests import world


@pytest.fixture
def forge(database):
    return world.machine("forge")


def result_of(forge, rates):
    """A result of one cell whose measured samples have these decode rates."""
    offer = world.running(forge, world.MODELS[0], cells=["tg128"])
    run = world.run_of(offer.cells[0])
    samples = [replace(world.sample(run.spec, 0, rate), index=i) for i, rate in enumerate(rates)]
    spec = replace(run.spec, repetitions=len(samples))
    return world.deliver(forge, offer, world.body(offer, cells=[replace(run, spec=spec, samples=samples)]))


def about_drift(result):
    return [check for check in result_view(result, None).checks if "drift" in check.fact.lower()]


def test_a_steady_run_says_by_how_much_its_thirds_differ(forge):
    (check,) = about_drift(result_of(forge, [100.0, 100, 101, 101, 102, 102]))

    assert (check.tone, check.fact) == ("good", "No drift: first and last third differ by at most 2.0 %.")


def test_a_run_that_became_slower_is_told_with_its_trend(forge):
    (check,) = about_drift(result_of(forge, [110.0, 108, 106, 104, 102, 100]))

    assert (check.tone, check.fact) == ("warn", "tg128 drifted: its last third differs from its first by −7.3 %.")
    assert check.consequence == "It moved by −1.9 % from sample to sample."


def test_two_slow_samples_at_the_end_are_not_called_a_trend(forge):
    (check,) = about_drift(result_of(forge, [100.0] * 8 + [90.0] * 3))

    assert check.consequence == "There is no steady trend: single samples may have done it."


def test_what_is_wrong_comes_before_what_is_clean(forge):
    checks = result_view(result_of(forge, [110.0, 108, 106, 104, 102, 100]), None).checks

    assert [check.tone for check in checks] == sorted((check.tone for check in checks), reverse=True)


def test_five_samples_are_too_few_to_tell(forge):
    assert about_drift(result_of(forge, [110.0, 108, 106, 104, 102])) == []


def test_samples_that_were_left_out_do_not_drift(forge):
    offer = world.running(forge, world.MODELS[0], cells=["tg128"])
    run = world.run_of(offer.cells[0])
    cut = world.sample(run.spec, 6, 50.0)
    cut = replace(cut, raw=replace(cut.raw, done_reason="stop"))
    result = world.deliver(forge, offer, world.body(offer, cells=[replace(run, samples=[*run.samples, cut, cut])]))

    (check,) = about_drift(result)

    assert check.tone == "good"
