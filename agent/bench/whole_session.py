"""A standard session on three tiny models and an embedding model, by a real server and agent, is complete and valid."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from agent.bench.house import House
from agent.bench.one_job import real_ollama
from agent.bench.report import Row, Settings
from agent.real_ollama.models import EMBEDS, TinyModel
from agent.real_ollama.tools import DEFAULT_VERSION

# None of the three ends by itself before the asked length. They differ in width and depth, and are so small because
# the time of a prompt of 8,192 tokens grows with the square of its length, on one thread of a CPU.
NARROW = TinyModel("obt-narrow:latest", seed=5, embedding=64, blocks=2, heads=2, feed_forward=128)
SHALLOW = TinyModel("obt-shallow:latest", seed=6, embedding=96, blocks=1, heads=3, feed_forward=256)
THIN = TinyModel("obt-thin:latest", seed=7, embedding=32, blocks=3, heads=1, feed_forward=96)
MODELS = (NARROW, SHALLOW, THIN, EMBEDS)
TEXT_CELLS = frozenset(
    {"load", "pp128", "pp512", "pp2048", "pp8192", "tg128", "tg128@2048", "tg128@8192", "chat512/128"}
    | {"c1", "c2", "c4", "c8"}
)
EMBED_CELLS = frozenset({"load", "embed256x1", "embed256x32"})
MUST = "every cell that applies has its headline number"


def rows(settings: Settings) -> Iterable[Row]:
    """One row per model. `--quick` takes the quick budget, which may leave the long cells out; then a row says so."""
    budget = "quick" if settings.quick else "standard"
    with real_ollama(MODELS) as ollama, House(ollama.url) as house:
        results = house.session([model.name for model in MODELS], budget)
    for model, result in zip(MODELS, results, strict=True):
        yield row(model, result, budget)


def row(model: TinyModel, result: dict[str, Any], budget: str) -> Row:
    """What has a number, and of what has none the reason."""
    wanted = EMBED_CELLS if model.pools_to_embedding else TEXT_CELLS
    cells = {cell["cell"]: cell for cell in result["cells"]}
    lacking = {name: why_not(cells.get(name)) for name in sorted(wanted)}
    lacking = {name: why for name, why in lacking.items() if why is not None}
    others = sorted(set(cells) - wanted)
    measured = (
        f"{len(wanted) - len(lacking)} of {len(wanted)} cells in {result['duration_s']:.0f} s, {result['outcome']}"
    )
    if lacking:
        measured += "; without: " + "; ".join(f"{name}: {why}" for name, why in lacking.items())
    if others:
        measured += f"; not expected: {', '.join(others)}"
    return Row(
        what=f"a whole session: {model.name}",
        how=f"real Ollama {DEFAULT_VERSION}, server and agent; standard suite, budget {budget}",
        must=MUST,
        measured=measured,
        ok=result["valid"] and result["outcome"] == "succeeded" and not lacking and not others,
        details={"lacking": lacking, "cells": [shown(cell) for cell in result["cells"]]},
    )


def why_not(cell: dict[str, Any] | None) -> str | None:
    """Why a cell has no headline number; None when it has one that counts."""
    if cell is None:
        return "not in the result"
    if cell["valid"] and cell["headline"] in cell["metrics"]:
        return None
    flags = ", ".join(cell["flags"])
    return (
        cell["skipped"] or cell["stopped"] or f"{cell['n']} of {cell['planned']} valid ({flags or 'no reason given'})"
    )


def shown(cell: dict[str, Any]) -> dict[str, Any]:
    """A cell's headline with its interval, as the JSON keeps it."""
    number = cell["metrics"].get(cell["headline"], {})
    names = ("median", "low", "high", "n", "interval", "unit")
    said = {name: cell[name] for name in ("cell", "headline", "valid", "skipped", "stopped", "flags", "left_out")}
    return {**said, **{name: number.get(name) for name in names}}
