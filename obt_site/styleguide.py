"""``/styleguide``: every component with made-up data on one page, for people and for screenshots."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from obt_site.access import Role, requires
from obt_site.charts import Axis, HistoryMark, HistoryPoint, LaneBlock, Panel, Phase, SamplePoint, ScatterPoint
from obt_site.charts.figures import GLYPHS
from obt_site.states import STATES

MINUTE_S = 60.0
DAY_S = 86400.0
RUN_S = 552.0
START = datetime(2025, 11, 22, 13, 37, tzinfo=UTC)
SPRITE = Path(__file__).resolve().parents[1] / "static" / "icons.svg"
ICONS = re.findall(r'id="([^"]+)"', SPRITE.read_text(encoding="utf-8"))


def _samples() -> list[SamplePoint]:
    reason = "output stopped at 97 of 128 tokens"
    return [
        SamplePoint("w1", 124.1, "warm_up"),
        SamplePoint("w2", 126.4, "warm_up"),
        *(SamplePoint(str(index + 1), value) for index, value in enumerate((127.2, 128.3, 126.9, 128.0))),
        SamplePoint("5", 123.4, "left_out", reason),
        SamplePoint("6", 126.1),
        SamplePoint("7", 127.6),
    ]


def _phases() -> list[Phase]:
    names = ("load", "pp128", "pp512", "pp2048", "tg128", "chat", "tg128@2048", "", "pp8192", "tg128@8192")
    ends = (19, 49, 98, 174, 231, 302, 382, 401, 491, 552)
    starts = (0, *ends[:-1])
    return [
        Phase(name, start, end, is_chosen=name == "tg128")
        for name, start, end in zip(names, starts, ends, strict=True)
        if name
    ]


def _wave(base: float, swing: float, dip: float) -> list[tuple[float, float | None]]:
    points: list[tuple[float, float | None]] = []
    for index in range(int(RUN_S * 5)):
        at = index / 5
        is_away = 200 <= at < 208
        value = base + swing * math.sin(at / 3) - (dip if index % 90 < 5 else 0)
        points.append((at, None if is_away else value))
    return points


def _panels() -> list[Panel]:
    return [
        Panel("GPU use", "%", _wave(96, 2, 50), 0, 100, "median 97 %"),
        Panel("Power", "W", _wave(390, 12, 150), 0, 480, "limit 450 W", [(435, 484)]),
        Panel("Temperature", "°C", [(at, 40 + 30 * (1 - math.exp(-at / 90))) for at in range(int(RUN_S))], 30, 90),
        Panel("Core clock", "MHz", [], missing_reason="This driver does not report clocks."),
    ]


def _blocks() -> list[LaneBlock]:
    start = START.timestamp()

    def block(label: str, from_min: float, to_min: float, state: Any, **more: Any) -> LaneBlock:
        return LaneBlock(label, start + from_min * MINUTE_S, start + to_min * MINUTE_S, state, **more)

    return [
        block("llama3.1:8b", 0, 9, "done"),
        block("phi4:14b", 9.4, 20, "done", has_left_out=True),
        block("gpt-oss:20b", 20.4, 23, "failed", note="another client loaded llama3.1:8b"),
        block("qwen2.5-coder:14b", 23.4, 44, "running", done_share=0.6),
        block("gemma3:27b", 44.4, 60, "queued"),
        block("qwen3:32b", 60.4, 70, "cancelled"),
        block("mistral-small3.2:24b", 70.4, 84, "lost"),
    ]


def _matrix() -> list[dict[str, Any]]:
    def cell(machine: str, value: float | None = None, part: float = 0, **more: Any) -> dict[str, Any]:
        has_value = {} if value is None else {"value": value, "low": value * 0.99, "high": value * 1.01, "share": part}
        return {"machine": machine, **has_value, **more}

    long_name = "hf.co/some-organisation/a-model-with-a-very-long-name-GGUF:Q4_K_M"
    not_run = cell("atlas", state="not_run", chosen=True)
    rows = [
        ("llama3.1:8b", 4.92e9, [cell("forge", 127.4, 1.0), cell("atlas", 96.1, 0.75), cell("nuc", 9.44, 0.07)]),
        ("qwen3:8b", 5.23e9, [cell("forge", 121.0, 1.0, chosen=True), not_run, cell("nuc", absent=True)]),
        (
            long_name,
            42.5e9,
            [cell("forge", 4.21, 0.29, flag="47 % GPU"), cell("atlas", 14.6, 1.0), cell("nuc", never=True)],
        ),
    ]
    return [{"model": model, "quant": "Q4_K_M", "size": size, "cells": cells} for model, size, cells in rows]


def _changes() -> list[dict[str, Any]]:
    same, better = [-0.006, 0.0, 0.004], [0.055, 0.065, 0.071]
    return [
        {"word": "Faster", "glyph": "up", "tone": "good", "change": 0.065, "low": 0.052, "high": 0.076, "b": better},
        {
            "word": "Slower",
            "glyph": "down",
            "tone": "bad",
            "change": 0.11,
            "low": 0.074,
            "high": 0.152,
            "b": [0.1, 0.12],
        },
        {"word": "No detectable difference", "glyph": "same", "change": -0.004, "low": -0.02, "high": 0.013, "b": same},
        {"word": "Too few to tell", "glyph": "dashed", "change": 0.16, "b": [0.16]},
        {"word": "Not comparable", "glyph": "never"},
    ]


def _history() -> list[HistoryPoint]:
    values = [119.2, 119.9, None, 119.6, 127.1, 127.8, 127.4]
    return [
        HistoryPoint(at * DAY_S, value, value and value - 0.8, value and value + 0.9, 6, label=f"result {at}")
        for at, value in enumerate(values)
    ]


def sample_context() -> dict[str, Any]:
    """Everything the style guide draws."""
    now = datetime.now(UTC)
    return {
        "place": "",
        "glyphs": list(GLYPHS),
        "states": list(STATES),
        "icons": ICONS,
        "use": [90 + 6 * math.sin(index / 4) for index in range(60)],
        "use_with_gap": [None if 20 <= index < 30 else 40 + 20 * math.sin(index / 5) for index in range(60)],
        "six": [126.1, 126.9, 127.2, 127.6, 128.0, 128.3],
        "samples": _samples(),
        "few_samples": [SamplePoint("1", 2.84), SamplePoint("2", 2.74), SamplePoint("3", 2.97)],
        "broken_samples": [SamplePoint("1", None, "left_out", "Ollama answered 500")],
        "scatter_points": [
            ScatterPoint(20 + 9 * i, 6 - i / 4 + i % 3, f"model {i}", "#charts", i % 7 + 1) for i in range(9)
        ],
        "scatter_edge": [
            ScatterPoint(127, 4.1, "llama3.1:8b", "#charts", 1), ScatterPoint(84, 2.2, "qwen3:8b", "#charts", 4)
        ],
        "scatter_x": Axis("Decode", "tok/s", True),
        "scatter_y": Axis("Energy per output token", "J/tok", False),
        "panels": _panels(),
        "phases": _phases(),
        "blocks": _blocks(),
        "start": START.timestamp(),
        "end": START.timestamp() + 86 * MINUTE_S,
        "now": START.timestamp() + 37 * MINUTE_S,
        "recent": now - timedelta(minutes=5),
        "dots": ["done", "done", "left_out", "now", "todo", "todo"],
        "rows": [
            {"name": "forge", "hw": "RTX 4090", "value": 127.4, "low": 126.1, "high": 128.3, "n": 6, "series": 1},
            {"name": "atlas", "hw": "2 × RTX 3090", "value": 96.1, "low": 95.5, "high": 96.6, "n": 6, "series": 2},
            {"name": "kiln", "hw": "RTX 4070 Ti Super", "value": 86.5, "low": 81.4, "high": 91.4, "n": 6, "series": 3,
             "flag": "1 left out"},
            {"name": "ember", "hw": "RX 7900 XTX", "value": 84.0, "low": 83.1, "high": 86.4, "n": 6, "series": 4},
            {"name": "studio", "hw": "M3 Max", "value": 57.8, "low": 50.3, "high": 61.2, "n": 4, "series": 5},
            {"name": "nuc", "hw": "Core Ultra 7", "value": 9.44, "low": 9.29, "high": 9.57, "n": 6, "series": 6},
            {"name": "pi5", "hw": "Cortex-A76", "value": 5.31, "low": 5.26, "high": 5.35, "n": 6, "series": 7},
        ],
        "highest": 128.3,
        "changes": _changes(),
        "zone": 0.03,
        "history": _history(),
        "marks": [HistoryMark(3.5 * DAY_S, 1, "Ollama 0.33.1", "Ollama: 0.30.2, then 0.33.1")],
        "matrix": _matrix(),
        "digest": "sha256:46e0c10c039e019119339687c3c1757cc81b9da49709a3b3924863ba87ca666e",
        "hostile": "<b>name</b> \u202edesrever\u202c " + "very-long-" * 12,
    }  # fmt: skip


@require_safe
@requires(Role.VIEWER)
def styleguide(request: HttpRequest) -> HttpResponse:
    """The page; reads nothing and changes nothing."""
    return render(request, "styleguide.html", sample_context())
