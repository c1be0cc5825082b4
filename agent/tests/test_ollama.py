"""The client against the simulator, the real Ollama, and servers that are neither."""

from __future__ import annotations

import socket
import tracemalloc
from collections.abc import Iterator

import pytest

from agent.obt_agent.ollama import OllamaClient, OllamaError, StreamLimits, full_name, is_cloud_name, is_simulated
from agent.obt_agent.wire import dumps
from agent.real_ollama.fixtures import REAL_OLLAMA_MARKS
from agent.simulator.models import ModelSpec
from agent.simulator.server import SimulatedOllama

from .nasty import Peer, serving

LIMITS = StreamLimits(first_byte_s=10.0, stall_s=5.0)


@pytest.fixture
def simulator() -> Iterator[SimulatedOllama]:
    with SimulatedOllama(speed=50.0) as running:
        yield running


def failing(url: str, read_timeout_s: float = 2.0) -> OllamaError:
    """The error of asking for the version."""
    with pytest.raises(OllamaError) as caught:
        OllamaClient(url, read_timeout_s).version()
    return caught.value


def test_it_reads_version_models_and_what_is_loaded(simulator: SimulatedOllama) -> None:
    client = OllamaClient(simulator.url + "/")
    assert is_simulated(client.version())
    models = {model.name: model for model in client.models()}
    llama = models["sim-llama3.2:1b"]
    assert (llama.quantization, llama.context_length, llama.capabilities) == ("Q8_0", 131_072, ["completion"])
    assert models["sim-nomic-embed-text:latest"].capabilities == ["embedding"]
    assert client.ps() == []


def test_a_generation_is_counted_and_then_loaded_and_unloaded(simulator: SimulatedOllama) -> None:
    client = OllamaClient(simulator.url)
    body = {"model": "sim-llama3.2:1b", "prompt": "1234 hello", "raw": True, "options": {"num_predict": 5}}
    generation = client.generate(body, LIMITS)
    assert generation.error is None
    assert generation.raw.eval_count == 5
    (loaded,) = client.ps()
    assert loaded.size_bytes == loaded.size_vram_bytes
    client.unload("sim-llama3.2:1b")


def test_models_are_shown_again_only_when_their_digest_changed(simulator: SimulatedOllama) -> None:
    client = OllamaClient(simulator.url)

    def context_length() -> int | None:
        return next(model.context_length for model in client.models() if model.name == "sim-llama3.2:1b")

    assert context_length() == 131_072
    same = simulator.models.find("sim-llama3.2:1b").digest
    simulator.models.change("sim-llama3.2:1b", digest=same, context_length=64)
    assert context_length() == 131_072
    simulator.models.change("sim-llama3.2:1b", context_length=32)
    assert context_length() == 32


def test_a_cloud_model_is_remote_by_name_or_by_host(simulator: SimulatedOllama) -> None:
    simulator.models.add(ModelSpec("big:120b", remote_host="https://ollama.com", remote_model="big:120b"))
    remote = {model.name for model in OllamaClient(simulator.url).models() if model.remote}
    assert remote == {"big:120b"}
    assert [is_cloud_name(name) for name in ("a:cloud", "a:70b-cloud", "a:7b", "cloud")] == [True, True, False, False]


def test_a_model_that_is_not_there_is_named(simulator: SimulatedOllama) -> None:
    with pytest.raises(OllamaError, match="does not have the model nope") as caught:
        OllamaClient(simulator.url).unload("nope")
    assert caught.value.kind == "model_missing"


def test_names_without_a_tag_mean_latest() -> None:
    names = [full_name(name) for name in ("llama3.2", "llama3.2:1b", "host:5000/library/x", "a/b:c")]
    assert names == ["llama3.2:latest", "llama3.2:1b", "host:5000/library/x:latest", "a/b:c"]


def test_a_closed_port_is_refused_with_its_address() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    error = failing(f"http://127.0.0.1:{port}")
    assert (error.kind, str(error)) == ("refused", f"Ollama refused the connection at http://127.0.0.1:{port}")


def test_the_environments_proxy_is_never_used(simulator: SimulatedOllama, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    client = OllamaClient(simulator.url)
    assert client.version()
    assert (
        client.generate({"model": "sim-llama3.2:1b", "prompt": "x", "options": {"num_predict": 1}}, LIMITS).error
        is None
    )


def test_a_server_that_says_nothing_is_a_timeout() -> None:
    with serving(Peer.hold) as url:
        error = failing(url, read_timeout_s=0.2)
    assert error.kind == "timeout"
    assert "/api/version" in str(error)


def test_a_server_that_hangs_up_has_closed_the_connection() -> None:
    with serving(lambda peer: None) as url:
        assert failing(url).kind == "broken_stream"


@pytest.mark.parametrize(
    ("body", "status", "kind"),
    [
        (b"<html>It works!</html>", "200 OK", "not_ollama"),
        (b"Not found", "404 Not Found", "not_ollama"),
        (b"", "302 Found", "not_ollama"),
        (b'{"hello": "world"}', "200 OK", "not_ollama"),
        (b'{"version": 7}', "200 OK", "not_ollama"),
        (b'{"version": ""}', "200 OK", "not_ollama"),
        (b'{"version": NaN}', "200 OK", "garbage"),
        (b'["0.24.0"]', "200 OK", "garbage"),
        (b'{"error": "on fire"}', "500 Error", "http"),
    ],
)
def test_anything_but_a_version_is_named_for_what_it_is(body: bytes, status: str, kind: str) -> None:
    with serving(lambda peer: peer.answer(body, status)) as url:
        assert failing(url).kind == kind


@pytest.mark.parametrize(
    "models",
    [7, "all", [7], [{"digest": "d"}], [{"name": "m"}], [{"name": 5, "digest": "d"}], [{"name": "m" * 400}]],
)
def test_a_list_of_models_that_is_none_is_garbage(models: object) -> None:
    with serving(lambda peer: peer.answer(dumps({"models": models}))) as url, pytest.raises(OllamaError) as caught:
        OllamaClient(url).tags()
    assert caught.value.kind == "garbage"


def test_fields_of_the_wrong_type_are_missing_and_the_model_is_still_listed() -> None:
    row = {"name": "m", "digest": "sha256:d", "size": -1, "details": [1], "modified_at": 5, "capabilities": "all"}
    with serving(lambda peer: peer.answer(dumps({"models": [row]}))) as url:
        (model,) = OllamaClient(url).tags()
    assert (model.name, model.digest) == ("m", "d")
    assert (model.size_bytes, model.format, model.modified_at, model.capabilities) == (None, None, None, [])


def test_no_models_may_be_null() -> None:
    with serving(lambda peer: peer.answer(b'{"models": null}')) as url:
        assert OllamaClient(url).ps() == []


def test_a_body_without_end_is_cut_off_with_bounded_memory() -> None:
    def play(peer: Peer) -> None:
        peer.head()
        while True:
            peer.chunk(b" " * 65536)

    tracemalloc.start()
    with serving(play) as url:
        error = failing(url)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert error.kind == "garbage"
    assert peak_bytes < 50 * 1024 * 1024


class TestRealOllama:
    """The same calls against the real one."""

    pytestmark = REAL_OLLAMA_MARKS

    def test_its_models_are_described(self, real_ollama: str) -> None:
        client = OllamaClient(real_ollama)
        assert client.version() == "0.24.0"
        models = {model.name: model for model in client.models()}
        tiny = models["obt-tiny:latest"]
        assert (tiny.format, tiny.family, tiny.context_length) == ("gguf", "llama", 16_384)
        assert (tiny.capabilities, tiny.remote) == (["completion"], False)
        assert len(tiny.digest) == 64

    def test_a_model_that_only_embeds_refuses_to_generate(self, real_ollama: str) -> None:
        generation = OllamaClient(real_ollama).generate({"model": "obt-embed", "prompt": "x"}, LIMITS)
        assert generation.error is not None
        assert generation.error.kind == "http"
        assert "does not support generate" in generation.error.message

    def test_a_prompt_beyond_the_context_is_refused_and_not_cut(self, real_ollama: str) -> None:
        body = {"model": "obt-tiny", "prompt": "x " * 400, "raw": True, "truncate": False, "options": {"num_ctx": 256}}
        generation = OllamaClient(real_ollama).generate(body, LIMITS)
        assert generation.error is not None
        assert generation.error.kind == "context_exceeded"
