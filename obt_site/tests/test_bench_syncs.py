"""The proof about syncs: what it compares, when it says no, and that it measures what an agent would get."""

import pytest

from agent.bench import PROOFS
from agent.bench.report import CannotRun
from agents.tests.agent_calls import Machine
from obt_site.bench import syncs
from obt_site.bench.syncs import Tally


def test_it_is_one_of_the_proofs() -> None:
    assert "obt_site.bench.syncs" in [proof.module for proof in PROOFS]


@pytest.mark.parametrize(("answers", "met"), [(700, True), (690, False)])
def test_it_is_met_by_seven_tenths_of_the_bare_view(answers: int, met: bool) -> None:
    row = syncs.compared(Tally(1000, 1.0, 0.9), Tally(1100, 1.0, 0.9), Tally(answers, 1.0, 0.9, 0.35))

    assert row.ok is met
    assert f"{answers} against 1000" in row.measured
    assert "the database 0.5" in (row.reason or "")


def test_what_it_sends_is_a_sync_that_the_server_takes(server) -> None:
    request = syncs._request(server.port, syncs.SYNC, syncs._body(), Machine(server).credential)

    assert syncs.ask(server.port, [request], 0.2) > 0


def test_an_answer_that_is_none_ends_the_proof(server) -> None:
    request = syncs._request(server.port, syncs.SYNC, syncs._body(), "obta_00000000_wrong")

    with pytest.raises(CannotRun, match="401"):
        syncs.ask(server.port, [request], 0.2)
