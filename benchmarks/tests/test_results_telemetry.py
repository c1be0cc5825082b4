"""What is stored of a recording, and the energy that is derived from it."""

import zlib
from dataclasses import replace

import pytest

from agent.obt_agent import contract, energy, wire
from benchmarks import results
from benchmarks.documents import TelemetrySeries
from benchmarks.telemetry import MOST_POINTS
from benchmarks.tests import world


@pytest.fixture
def forge(database):
    return world.machine("forge")


def stored(client, recording):
    """A result of the usual samples with this recording."""
    offer = world.running(client, world.MODELS[0])
    body = replace(world.body(offer), telemetry=recording)
    return results.store(client, offer.job, body, wire.dumps(body))[0]


def straight(points, **changes):
    t_s = [round(0.2 * i, 4) for i in range(points)]
    mj = [1000.0 * 100 * t for t in t_s]
    return contract.Telemetry(200, t_s, [contract.Series("gpu_0_energy_mj", "mJ", mj)], **changes)


def test_a_long_recording_is_stored_small_and_its_whole_beside_it(forge):
    recording = straight(MOST_POINTS + 500)
    kept = TelemetrySeries.objects(id=stored(forge, recording).id).first()
    assert len(kept.content["t_s"]) == MOST_POINTS
    assert wire.decode(contract.Telemetry, wire.loads(zlib.decompress(kept.raw))) == recording


def test_a_short_recording_is_stored_once(forge):
    kept = TelemetrySeries.objects(id=stored(forge, straight(50)).id).first()
    assert (len(kept.content["t_s"]), kept.raw) == (50, None)


def test_energy_per_token_comes_with_its_note_and_what_is_missing_with_its_reason(forge):
    result = stored(forge, straight(3000, of_this_machine=True))
    decode = next(cell for cell in result.cells if cell["cell"] == "tg128")
    found = decode["metrics"][energy.OUTPUT]
    assert found["unit"] == "J/tok"
    assert found["median"] > 0
    assert "energy counter" in found["note"]
    assert decode["missing"][energy.OUTPUT_NET] == energy.NO_IDLE


def test_the_readings_of_another_machine_give_no_energy(forge):
    result = stored(forge, straight(3000, of_this_machine=False))
    decode = next(cell for cell in result.cells if cell["cell"] == "tg128")
    assert energy.OUTPUT not in decode["metrics"]
    assert decode["missing"][energy.OUTPUT] == energy.ELSEWHERE
