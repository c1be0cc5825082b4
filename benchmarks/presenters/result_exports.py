"""One result as people take it away: as Markdown for an issue, its samples as CSV, its telemetry for the script."""

import csv
import io
from collections.abc import Sequence
from typing import Any

from benchmarks.documents import Result
from benchmarks.presenters import samples
from benchmarks.presenters.result import ResultView
from benchmarks.presenters.samples import Judged
from obt_site.charts import Panel
from obt_site.formatting import EN_DASH, MISSING, finite, interval, iso, measured
from obt_site.text import harmless, one_line

COLUMNS = (
    "cell", "sample", "state", "metric", "value", "unit", "began_s", "prompt_tokens", "output_tokens", "ttft_ms",
    "e2e_ms", "why",
)  # fmt: skip


# -- Markdown --------------------------------------------------------------------------------------------------------


def markdown(view: ResultView) -> str:
    """Hardware, versions, the numbers with their intervals, and what was found about their validity."""
    result = view.result
    parts = [
        f"### {code(result.model)} on {code(result.client_name or 'a machine')}",
        *(["**Simulated: these numbers say nothing about the machine.**"] if result.simulated else []),
        "\n".join(
            f"- {what}: {code(value) if value else f'unknown ({plain(why)})'}" for what, value, why in view.environment
        ),
        f"Measured {iso(result.created_at)}, {view.counted} of {view.measured} samples count.",
        _table(view),
        "\n".join(f"- {_mark(check.tone)} {plain(f'{check.fact} {check.consequence}')}" for check in view.checks),
        "Median of the samples that count, with its 95 % interval (range: of fewer than 6 values). Measured with OBT.",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _table(view: ResultView) -> str:
    if not view.cells:
        return "Nothing was measured."
    lines = ["| Cell | Number | Median | 95 % interval | n |", "|---|---|--:|--:|--:|"]
    for cell in view.cells:
        if cell.skipped:
            lines.append(f"| {code(cell.name)} | skipped | {MISSING} | {plain(cell.skipped)} | 0 |")
            continue
        for figure in cell.rows:
            if figure.value is None:
                lines.append(
                    f"| {code(cell.name)} | {plain(figure.word)} | {MISSING} | {plain(figure.reason)} | {cell.n} |"
                )
                continue
            number = f"{measured(figure.value, figure.unit)} {figure.unit}".strip()
            around = interval(figure.low, figure.high, figure.n, figure.unit)
            lines.append(f"| {code(cell.name)} | {plain(figure.word)} | {number} | {around} | {figure.n} |")
    return "\n".join(lines)


def _mark(tone: str) -> str:
    return "✓" if tone == "good" else "⚠"


def code(text: str) -> str:
    """A name as code, where no character of it means anything; inside a table, too."""
    return f"`{one_line(text).replace('`', chr(39)).replace('|', '¦')}`"


def plain(text: str) -> str:
    """Words in which nothing is taken for markup or for the name of a person."""
    words = one_line(text)
    for letter in "\\`*_[]<>|#~":
        words = words.replace(letter, f"\\{letter}")
    return words.replace("@", "@\u200b").strip()


# -- CSV -------------------------------------------------------------------------------------------------------------


def samples_csv(result: Result, judged: Sequence[Judged]) -> str:
    """A line per request of every cell, in the order they ran; requests of one round share its value."""
    headlines = {cell["cell"]: str(cell["headline"]) for cell in result.cells}
    written = io.StringIO()
    out = csv.writer(written)
    out.writerow(COLUMNS)
    for each in judged:
        metric = headlines.get(each.spec.name, "")
        for line in samples.lines(each, metric):
            out.writerow(
                [
                    harmless(each.spec.name),
                    line.label,
                    line.kind,
                    metric,
                    line.value,
                    line.unit,
                    line.start_s,
                    line.prompt_tokens,
                    line.output_tokens,
                    line.ttft_ms,
                    line.e2e_ms,
                    harmless(line.words),
                ]
            )
    return written.getvalue()


# -- telemetry -------------------------------------------------------------------------------------------------------


def panels(view: ResultView) -> dict[str, Any]:
    """The panels on their clock, first what people look at, and when each request ran: (cell, start, end, kind)."""
    return {
        "length_s": view.run_s or 0.0,
        "panels": [_panel(one) for one in view.telemetry.panels],
        "more": [_panel(one) for one in view.telemetry.more],
        "phases": [[one.label, one.start_s, one.end_s, one.kind] for one in view.phases],
    }


def _panel(one: Panel) -> dict[str, Any]:
    values = [finite(value) for _, value in one.points]
    known = [value for value in values if value is not None]
    ends = dict.fromkeys(measured(value, one.unit) for value in (min(known), max(known))) if known else {}
    return {
        "name": one.name,
        "unit": one.unit,
        "note": one.note or f"{EN_DASH.join(ends)} {one.unit}".strip(),
        "t_s": [at for at, _ in one.points],
        "values": values,
        "floor": one.floor,
        "ceiling": one.ceiling,
        "throttled": [list(span) for span in one.throttled],
    }
