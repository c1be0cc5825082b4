"""The simulator's own models: how it announces itself, what it offers, what a models file may say."""

from __future__ import annotations

import pytest
import requests

from agent.simulator import DEFAULT_VERSION, ModelSpec, SimulatedOllama, default_models
from agent.simulator.models import canonical_name, spec_from_json

TIMEOUT_S = 10


def test_the_version_says_simulator() -> None:
    with SimulatedOllama() as ollama:
        version = requests.get(f"{ollama.url}/api/version", timeout=TIMEOUT_S).json()["version"]
    assert version == DEFAULT_VERSION
    assert "simulator" in version
    assert version.split("-")[0] == "0.24.0"


def test_each_default_model_says_that_it_is_simulated() -> None:
    assert all(spec.name.startswith("sim-") for spec in default_models())


def test_the_default_models_are_of_many_kinds() -> None:
    models = default_models()
    assert len({spec.digest for spec in models}) == len(models) >= 5
    assert len({spec.quantization for spec in models}) >= 3
    assert len({spec.decode_tps for spec in models}) == len(models)
    assert [spec.name for spec in models if "embedding" in spec.capabilities] == ["sim-nomic-embed-text:latest"]
    assert any(0 < spec.gpu_fraction < 1 for spec in models)
    assert any(spec.can_think for spec in models)
    assert any(spec.end_probability for spec in models)


def test_the_default_models_are_quick_enough_for_a_quick_session() -> None:
    assert all(spec.decode_tps >= 150 and spec.prefill_tps >= 3000 and spec.load_s <= 1 for spec in default_models())


@pytest.mark.parametrize("spec", default_models(), ids=lambda spec: spec.name)
def test_show_and_tags_agree(spec: ModelSpec) -> None:
    with SimulatedOllama() as ollama:
        tags = requests.get(f"{ollama.url}/api/tags", timeout=TIMEOUT_S).json()["models"]
        show = requests.post(f"{ollama.url}/api/show", json={"model": spec.name}, timeout=TIMEOUT_S).json()
    (tag,) = [one for one in tags if one["name"] == spec.name]
    assert tag["details"] == show["details"]
    assert show["capabilities"] == list(spec.capabilities)
    family = show["model_info"]["general.architecture"]
    assert family == tag["details"]["family"]
    assert show["model_info"][f"{family}.context_length"] == spec.context_length
    assert show["model_info"]["general.parameter_count"] == spec.parameter_count


def test_a_cloud_model_is_listed_as_remote_and_does_not_run() -> None:
    cloud = ModelSpec("big:480b-cloud", remote_host="https://ollama.com:443", remote_model="big:480b")
    with SimulatedOllama([cloud]) as ollama:
        (tag,) = requests.get(f"{ollama.url}/api/tags", timeout=TIMEOUT_S).json()["models"]
        body = {"model": cloud.name, "prompt": "x"}
        answer = requests.post(f"{ollama.url}/api/generate", json=body, timeout=TIMEOUT_S)
    assert (tag["remote_host"], tag["remote_model"]) == ("https://ollama.com:443", "big:480b")
    assert answer.status_code == 404


@pytest.mark.parametrize(
    ("name", "canonical"),
    [
        ("x", "x:latest"),
        ("x:7b", "x:7b"),
        ("registry.ollama.ai/library/x", "x:latest"),
        ("host:99/x", "host:99/x:latest"),
    ],
)
def test_names_without_a_tag_are_the_latest(name: str, canonical: str) -> None:
    assert canonical_name(name) == canonical


def test_upper_and_lower_case_name_the_same_model() -> None:
    with SimulatedOllama([ModelSpec("Mixed:7B")]) as ollama:
        answer = requests.post(f"{ollama.url}/api/show", json={"model": "mixed:7b"}, timeout=TIMEOUT_S)
    assert answer.status_code == 200


@pytest.mark.parametrize(("count", "size"), [(1_235_814_432, "1.2B"), (136_731_648, "137M"), (12_187_079_280, "12.2B")])
def test_parameter_sizes_read_as_in_ollama(count: int, size: str) -> None:
    assert ModelSpec("x", parameter_count=count).parameter_size == size


def test_a_model_from_json_has_its_fields() -> None:
    spec = spec_from_json({"name": "mine", "decode_tps": 42, "capabilities": ["embedding"]})
    assert (spec.name, spec.decode_tps, spec.capabilities) == ("mine:latest", 42, ("embedding",))


@pytest.mark.parametrize("value", [None, [], "x", {"name": 3}, {"name": ""}, {"name": "x", "speed": 1}])
def test_nonsense_is_no_model(value: object) -> None:
    with pytest.raises(ValueError):
        spec_from_json(value)


def test_several_run_side_by_side_and_know_nothing_of_each_other() -> None:
    with SimulatedOllama([ModelSpec("one")]) as first, SimulatedOllama([ModelSpec("two")]) as second:
        assert first.port != second.port
        first.add_fault("status", endpoint="/api/tags")
        assert requests.get(f"{second.url}/api/tags", timeout=TIMEOUT_S).json()["models"][0]["name"] == "two:latest"


def test_a_taken_port_is_an_error_at_the_start() -> None:
    with SimulatedOllama() as first, pytest.raises(OSError, match="in use"):
        SimulatedOllama(port=first.port).start()


@pytest.mark.parametrize("wrong", [{"speed": 0}, {"speed": -1}, {"parallel": 0}, {"max_loaded": 0}])
def test_it_refuses_impossible_settings(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError):
        SimulatedOllama(**wrong)  # type: ignore[arg-type]
