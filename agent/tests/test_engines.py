"""Which engine counted, by version and model format: at every border between Ollama's eras."""

from __future__ import annotations

import pytest

from agent.obt_agent.engines import Engine, counts_uncached_only, engine_of, version_numbers


@pytest.mark.parametrize(
    ("version", "model_format", "engine"),
    [
        ("0.1.48", "gguf", Engine.CPP_SERVER),
        ("0.3.14", "gguf", Engine.CPP_SERVER),
        ("0.4.0", "gguf", Engine.GO_RUNNER),
        ("0.12.5", "gguf", Engine.GO_RUNNER),
        ("0.24.0", "gguf", Engine.GO_RUNNER),
        ("0.29.9", "gguf", Engine.GO_RUNNER),
        ("0.30.0", "gguf", Engine.LLAMA_SERVER),
        ("0.30.1", "gguf", Engine.LLAMA_SERVER),
        ("0.33.3", None, Engine.LLAMA_SERVER),
        ("1.0.0", "gguf", Engine.LLAMA_SERVER),
        ("0.33.3", "safetensors", Engine.MLX),
        ("0.33.3-obt-simulator", "safetensors", Engine.MLX),
        (None, "gguf", Engine.GO_RUNNER),
        ("", None, Engine.GO_RUNNER),
        ("nightly", "safetensors", Engine.MLX),
    ],
)
def test_the_engine_follows_from_version_and_format(
    version: str | None, model_format: str | None, engine: Engine
) -> None:
    assert engine_of(version, model_format) is engine


def test_only_mlx_times_the_first_token() -> None:
    assert [engine for engine in Engine if engine.first_token_is_timed] == [Engine.MLX]


@pytest.mark.parametrize(
    ("version", "uncached"),
    [("0.29.9", False), ("0.30.0", True), ("v0.30.0", True), ("0.30", True), ("0.30.1", False), (None, False)],
)
def test_0_30_0_alone_leaves_cached_tokens_out_of_the_count(version: str | None, uncached: bool) -> None:
    assert counts_uncached_only(version) is uncached


@pytest.mark.parametrize(
    ("version", "numbers"),
    [
        ("0.24.0", (0, 24, 0)),
        ("v0.24.0-rc1", (0, 24, 0)),
        ("0.24", (0, 24, 0)),
        ("0.24.0-obt-simulator", (0, 24, 0)),
        ("24", None),
        ("main", None),
        (None, None),
    ],
)
def test_a_version_is_read_as_far_as_it_begins_like_one(
    version: str | None, numbers: tuple[int, int, int] | None
) -> None:
    assert version_numbers(version) == numbers
