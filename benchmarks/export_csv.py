"""Results as CSV: one line per result, every unit in its column's name, nothing a spreadsheet would run as a formula.

Numbers are written whole (`127.43819`, a point, no thousands); what is missing is an empty field, never 0. Texts that
begin like a formula get an apostrophe, as spreadsheets expect it.
"""

import csv
import io
from collections.abc import Iterator, Sequence

from django.conf import settings

from benchmarks.measures import Measure
from benchmarks.shelf import Short
from obt_site.ceilings import full
from obt_site.errors import Invalid
from obt_site.formatting import iso
from obt_site.text import harmless

LINES_AT_ONCE = 200
FACTS = (
    "result", "number", "measured_at_utc", "model", "digest", "family", "quantization", "parameter_size", "machine",
    "machine_id", "session_number", "suite", "suite_version", "ollama_version", "hardware_config", "outcome", "valid",
    "simulated", "model_on_gpu_percent", "excluded",
)  # fmt: skip


def lines(shorts: Sequence[Short], measures: Sequence[Measure], cell: str | None) -> Iterator[str]:
    """The file in pieces, its header first. Each metric is that of `cell`, or of the cell that stands for it.

    Raises Invalid, before the first piece, when these are more results than one file may have.
    """
    most = settings.EXPORT_RESULTS_MAXIMUM
    if len(shorts) > most:
        rule = "One file has at most {} results; these are"
        raise Invalid(full(rule, most, len(shorts), "Filter them", "OBT_RESULTS_PER_EXPORT"))
    return _lines(shorts, measures, cell)


def _lines(shorts: Sequence[Short], measures: Sequence[Measure], cell: str | None) -> Iterator[str]:
    yield _written([[*FACTS, *(column for measure in measures for column in _columns(measure))]])
    for start in range(0, len(shorts), LINES_AT_ONCE):
        yield _written([_line(one, measures, cell) for one in shorts[start : start + LINES_AT_ONCE]])


def _columns(measure: Measure) -> list[str]:
    column, name = measure.column, measure.name
    return [f"{column}_median", f"{column}_low", f"{column}_high", f"{name}_n", f"{name}_cell"]


def _line(one: Short, measures: Sequence[Measure], cell: str | None) -> list[object]:
    texts = (one.model, one.digest, one.family, one.quantization, one.parameter_size, one.client_name)
    suite = (one.suite, one.suite_version, one.ollama_version, one.hardware_config, one.outcome)
    facts: list[object] = [
        one.id,
        one.number,
        iso(one.created_at),
        *(harmless(text or "") for text in texts),
        one.client,
        one.session_number,
        *(harmless(text or "") for text in suite),
        "true" if one.valid else "false",
        "true" if one.simulated else "false",
        one.gpu_share,
        "true" if one.excluded else "false",
    ]
    return facts + [value for measure in measures for value in _values(one, measure, cell)]


def _values(one: Short, measure: Measure, cell: str | None) -> list[object]:
    spread = one.spread(measure.name, cell)
    if spread is None:
        return [None] * 5
    return [spread.median, spread.low, spread.high, spread.n, harmless(spread.cell)]


def _written(rows: Sequence[Sequence[object]]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue()
