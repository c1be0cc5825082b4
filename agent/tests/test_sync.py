from __future__ import annotations

from agent.obt_agent import wire
from agent.obt_agent.contract import SYNC_BODY_BYTES, InstalledModel, OllamaState, SyncRequest
from agent.obt_agent.sync import fitted


def request(models: int) -> SyncRequest:
    listed = [InstalledModel(f"registry.example/library/a-model-{n}:latest", f"{n:064d}", 10**9) for n in range(models)]
    state = OllamaState("http://127.0.0.1:11434", True)
    return SyncRequest(1, "0.1.0", "boot", state, slots=1, models=listed, models_hash="of-all-of-them")


def test_three_hundred_models_fit_into_one_message_as_they_are() -> None:
    asked = request(300)
    assert fitted(asked) is asked


def test_a_list_too_long_for_the_server_is_cut_to_what_fits() -> None:
    asked = request(3000)
    assert len(wire.dumps(asked)) > SYNC_BODY_BYTES
    cut = fitted(asked)
    assert SYNC_BODY_BYTES * 0.95 < len(wire.dumps(cut)) <= SYNC_BODY_BYTES
    assert asked.models is not None
    assert cut.models == asked.models[: len(cut.models or [])]
    assert cut.models_hash == asked.models_hash
