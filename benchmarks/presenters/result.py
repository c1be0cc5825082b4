"""One result: its numbers, every sample behind them, the machine's readings, and whether it can be trusted."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.http import QueryDict
from django.urls import reverse

from agent.obt_agent import contract, wire
from benchmarks import results
from benchmarks.documents import Result, TelemetrySeries
from benchmarks.presenters import environment as facts
from benchmarks.presenters import figures, samples, stored, telemetry, trust
from benchmarks.presenters.figures import Figure
from benchmarks.presenters.samples import Judged, SampleLine
from benchmarks.presenters.trust import Check
from obt_site.charts import Panel, Phase, SamplePoint

HEADLINE_ORDER = ("decode", "prefill", "chat", "load", "concurrency", "embed")
MOST_HEADLINES = 5
LOAD_LABEL = "Load, page-cache warm"
BESIDE_THE_TABLE = frozenset({"gpu_share"})  # a fact of the environment as long as it does not move


@dataclass(frozen=True)
class Headline:
    """A number under the page's head, with the values of the samples it is the median of."""

    label: str
    figure: Figure
    samples: Sequence[float]


@dataclass(frozen=True)
class CellRow:
    """One metric of one cell in the table of all."""

    cell: str
    figure: Figure
    left_out: int
    skipped: str | None
    is_first: bool


@dataclass(frozen=True)
class Tab:
    cell: str
    left_out: int
    is_chosen: bool


@dataclass(frozen=True)
class ResultView:
    """Everything the result page shows."""

    result: Result
    headlines: Sequence[Headline]
    tabs: Sequence[Tab]
    chosen: Figure | None
    points: Sequence[SamplePoint]
    lines: Sequence[SampleLine]
    stopped: str | None
    panels: Sequence[Panel]
    phases: Sequence[Phase]
    telemetry_s: float | None
    telemetry_note: str
    telemetry_missing: str
    cells: Sequence[CellRow]
    checks: Sequence[Check]
    environment: Sequence[tuple[str, str | None, str]]
    left_out: int
    counted: int
    measured: int

    @property
    def left_out_words(self) -> str:
        return f"{self.left_out} left out"

    @property
    def again_url(self) -> str:
        """The new-session page with this model on this machine and the same cells."""
        query = QueryDict(mutable=True)
        query["pick"] = f"{self.result.client}:{self.result.model}"
        query.setlist("cells", [cell["cell"] for cell in self.result.cells])
        return f"{reverse('session_new')}?{query.urlencode()}"

    @property
    def formulas(self) -> list[tuple[str, str]]:
        """Each metric of the page with its formula, once."""
        return list(dict.fromkeys((row.figure.word, row.figure.formula) for row in self.cells if row.figure.formula))

    @property
    def clean(self) -> str:
        """`6 of 8 checks clean`"""
        good = sum(check.tone == "good" for check in self.checks)
        return f"{good} of {len(self.checks)} checks clean"


def result_view(result: Result, wanted_cell: str | None) -> ResultView:
    """What is stored of the result; four queries."""
    content = stored.hardware_of([result.hardware_config]).get(result.hardware_config or "")
    environment = _environment(result, content)
    judged = [samples.judge(block, environment) for block in results.samples_of(result)]
    series = TelemetrySeries.objects(id=result.id).first()
    chosen = _chosen(result, wanted_cell)
    mine = next((each for each in judged if chosen and each.spec.name == chosen["cell"]), None)
    figure = figures.headline_of(chosen) if chosen else None
    recorded = dict(series.content) if series else None
    return ResultView(
        result=result,
        headlines=_headlines(result, judged),
        tabs=[Tab(cell["cell"], cell["left_out"], cell is chosen) for cell in result.cells if not cell["skipped"]],
        chosen=figure,
        points=samples.points(mine, figure.metric) if mine and figure else [],
        lines=samples.lines(mine, figure.metric) if mine and figure else [],
        stopped=_sentence((chosen or {}).get("stopped")),
        panels=telemetry.panels(recorded, content),
        phases=telemetry.phases(recorded, chosen["cell"] if chosen else None),
        telemetry_s=telemetry.length_s(recorded),
        telemetry_note=telemetry.note(recorded),
        telemetry_missing="No telemetry came with this result." if recorded is None else "No reading was possible.",
        cells=_cell_rows(result),
        checks=trust.checks(result, [contract.CellRun(each.spec, list(each.samples)) for each in judged], content),
        environment=facts.facts(result, [each.spec for each in judged], environment, content),
        left_out=figures.left_out(result.cells),
        counted=sum(cell["n"] for cell in result.cells),
        measured=sum(cell["n"] + cell["left_out"] for cell in result.cells),
    )


def _environment(result: Result, content: Mapping[str, Any] | None) -> contract.RunEnvironment | None:
    if not result.environment or not content:
        return None
    return wire.decode(contract.RunEnvironment, {**result.environment, "hardware": dict(content)})


def _chosen(result: Result, wanted: str | None) -> Mapping[str, Any] | None:
    """The cell the page is about: the asked one, else the reference cell, else the first that ran."""
    ran = [cell for cell in result.cells if not cell["skipped"]]
    for name in (wanted, figures.REFERENCE_CELL):
        for cell in ran:
            if cell["cell"] == name:
                return cell  # type: ignore[no-any-return]
    return ran[0] if ran else None


def _headlines(result: Result, judged: Sequence[Judged]) -> list[Headline]:
    """The headline of each kind of cell, decode first."""
    found: dict[str, Mapping[str, Any]] = {}
    for cell in result.cells:
        if not cell["skipped"]:
            found.setdefault(cell["kind"], cell)
    if best := figures.best_cell(result.cells, "decode_rate"):
        found["decode" if "decode" in found else best["kind"]] = best
    chosen = [found[kind] for kind in HEADLINE_ORDER if kind in found][:MOST_HEADLINES]
    return [_headline(cell, judged) for cell in chosen]


def _headline(cell: Mapping[str, Any], judged: Sequence[Judged]) -> Headline:
    figure = figures.headline_of(cell)
    mine = next((each for each in judged if each.spec.name == cell["cell"]), None)
    values = mine.counted(figure.metric) if mine else []
    label = LOAD_LABEL if cell["kind"] == "load" else f"{figure.word}, {cell['cell']}"
    return Headline(label, figure, values)


def _sentence(words: str | None) -> str | None:
    return words[:1].upper() + words[1:] if words else None


def _told(cell: Mapping[str, Any], name: str) -> bool:
    """Whether a metric has a row of its own."""
    found = cell["metrics"].get(name)
    return name not in BESIDE_THE_TABLE or bool(found and found["low"] != found["high"])


def _cell_rows(result: Result) -> list[CellRow]:
    """Every metric of every cell; a skipped cell is one row that says why."""
    rows = []
    for cell in result.cells:
        if cell["skipped"]:
            rows.append(
                CellRow(cell["cell"], figures.headline_of(cell), 0, cell["skipped"].removeprefix("skipped: "), True)
            )
            continue
        names = [
            name for name in dict.fromkeys([cell["headline"], *cell["metrics"], *cell["missing"]]) if _told(cell, name)
        ]
        for name in names:
            first = name == names[0]
            left = cell["left_out"] if first else 0
            rows.append(CellRow(cell["cell"], figures.figure(cell, name), left, None, first))
    return rows
