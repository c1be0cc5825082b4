"""The proof about credentials: what it compares, and when it says no."""

import pytest

from agent.bench import PROOFS
from agents.documents import Client
from obt_site.bench import credentials


def test_it_is_one_of_the_proofs_and_comes_after_the_one_that_needs_people() -> None:
    names = [proof.name for proof in PROOFS]

    assert names.index("credentials") > names.index("pages")


@pytest.mark.parametrize(("check_ms", "met"), [(0.02, True), (0.2, False), (1.0, False)])
def test_it_is_met_when_the_check_costs_little_beside_the_read(check_ms: float, met: bool) -> None:
    row = credentials.compared(check_ms, 1.25)

    assert row.ok is met
    assert "with the read 1.25 ms" in row.measured


def test_it_measures_a_credential_among_many(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(credentials, "MACHINES", 5)

    check_ms, whole_ms = credentials.measure(times=3)

    assert Client.objects.count() == 5
    assert 0 < check_ms < whole_ms
