"""One result: its numbers, every sample behind them, the machine's readings, and whether it can be trusted."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.http import QueryDict
from django.urls import reverse

from agent.obt_agent import contract, wire
from benchmarks import results, shelf
from benchmarks.documents import Result, TelemetrySeries
from benchmarks.headline import REFERENCE_CELL, best_cell
from benchmarks.measures import HIGHER_IS_BETTER
from benchmarks.presenters import cells, figures, history, samples, session_form, stored, telemetry, trust
from benchmarks.presenters import environment as facts
from benchmarks.presenters.cells import CellView
from benchmarks.presenters.compare_sides import of_result
from benchmarks.presenters.figures import PREFERRED, Figure
from benchmarks.presenters.samples import Judged, SampleLine
from benchmarks.presenters.telemetry import Readings, Spread, spread
from benchmarks.presenters.trust import Check
from obt_site.charts import Phase, SamplePoint

HEADLINE_ORDER = ("decode", "prefill", "chat", "energy", "load", "concurrency", "embed", "prompt")
MOST_HEADLINES = 5
LOAD_LABEL = "Load, page-cache warm"
ENERGY = "energy_per_output_token"


@dataclass(frozen=True)
class Headline:
    """A number under the page's head, with the values of the samples it is the median of."""

    label: str
    figure: Figure
    samples: Sequence[float]


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
    telemetry: Readings
    phases: Sequence[Phase]
    run_s: float | None
    telemetry_missing: str
    cells: Sequence[CellView]
    checks: Sequence[Check]
    environment: Sequence[tuple[str, str | None, str]]
    left_out: int
    counted: int
    measured: int
    before: str | None

    @property
    def left_out_words(self) -> str:
        return f"{self.left_out} left out"

    @property
    def again_url(self) -> str:
        """The new-session page with this model on this machine and the same cells."""
        query = QueryDict(mutable=True)
        query["pick"] = f"{self.result.client}:{self.result.model}"
        measured = [cell["cell"] for cell in self.result.cells]
        query.setlist("cells", measured)
        if session_form.is_whole_suite(measured):
            query[session_form.MEASURE] = session_form.SUITE
        return f"{reverse('session_new')}?{query.urlencode()}"

    @property
    def compare_url(self) -> str:
        """This result against the one before it, or against what is then chosen."""
        sides = {"with": of_result(self.result.id)}
        if self.before is not None:
            sides = {"base": of_result(self.before), **sides}
        return f"{reverse('compare')}?{urlencode(sides)}"

    @property
    def history_url(self) -> str:
        return history.url(self.result.model, self.result.client)

    @property
    def formulas(self) -> list[tuple[str, str]]:
        """Each metric of the page with its formula, once."""
        every = (figure for cell in self.cells for figure in cell.more if figure.formula)
        return list(dict.fromkeys((figure.word, figure.formula) for figure in every))

    @property
    def plan(self) -> str:
        """Prediction and time taken of all cells that were predicted, together."""
        both = [(cell.get("expected_s"), cell.get("took_s")) for cell in self.result.cells]
        known = [(expected, took) for expected, took in both if expected is not None and took is not None]
        if not known:
            return ""
        return figures.against_plan(sum(one for one, _ in known), sum(took for _, took in known))

    @property
    def conditions(self) -> list[tuple[str, str]]:
        return cells.condition_facts(self.result.conditions or {})

    @property
    def chosen_better(self) -> str:
        higher = self.chosen is not None and self.chosen.metric in HIGHER_IS_BETTER
        return "higher is better" if higher else "lower is better"

    @property
    def readings(self) -> list[Spread]:
        return [spread(panel) for panel in self.telemetry.panels]

    @property
    def chosen_cell(self) -> CellView | None:
        return next((cell for cell in self.cells if cell.is_chosen), None)

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
    phases = samples.phases(judged, chosen["cell"] if chosen else None)
    recorded = dict(series.content) if series else None
    readings = telemetry.readings(recorded, content)
    return ResultView(
        result=result,
        headlines=_headlines(result, judged),
        tabs=[Tab(cell["cell"], cell["left_out"], cell is chosen) for cell in result.cells if not cell["skipped"]],
        chosen=figure,
        points=samples.points(mine, figure.metric, judged) if mine and figure else [],
        lines=samples.lines(mine, figure.metric) if mine and figure else [],
        telemetry=readings,
        phases=phases,
        run_s=max([*(phase.end_s for phase in phases), readings.length_s or 0.0]),
        telemetry_missing="No telemetry came with this result." if recorded is None else "No reading was possible.",
        cells=cells.of_result(result, judged, chosen["cell"] if chosen else None),
        checks=trust.checks(result, judged, content),
        environment=facts.facts(result, [each.spec for each in judged], environment, content),
        left_out=figures.left_out(result.cells),
        counted=sum(cell["n"] for cell in result.cells),
        measured=sum(cell["n"] + cell["left_out"] for cell in result.cells),
        before=_before(result),
    )


def _before(result: Result) -> str | None:
    """The id of the last result of this model on this machine before this one."""
    same = (str(result.client), result.model, bool(result.simulated))
    return next(
        (
            one.id
            for one in shelf.results()
            if one.number < result.number and (one.client, one.model, one.simulated) == same and one.cells
        ),
        None,
    )


def judged_of(result: Result) -> list[Judged]:
    """Every cell of the result with its samples judged anew."""
    content = stored.hardware_of([result.hardware_config]).get(result.hardware_config or "")
    environment = _environment(result, content)
    return [samples.judge(block, environment) for block in results.samples_of(result)]


def _environment(result: Result, content: Mapping[str, Any] | None) -> contract.RunEnvironment | None:
    if not result.environment or not content:
        return None
    return wire.decode(contract.RunEnvironment, {**result.environment, "hardware": dict(content)})


def _chosen(result: Result, wanted: str | None) -> Mapping[str, Any] | None:
    """The cell the page is about: the asked one, else the reference cell, else the first that ran."""
    ran = [cell for cell in result.cells if not cell["skipped"]]
    for name in (wanted, REFERENCE_CELL):
        for cell in ran:
            if cell["cell"] == name:
                return cell  # type: ignore[no-any-return]
    return ran[0] if ran else None


def _headlines(result: Result, judged: Sequence[Judged]) -> list[Headline]:
    """The headline of each kind of cell, decode first."""
    found: dict[str, Mapping[str, Any]] = {}
    for cell in result.cells:
        if not cell["skipped"] and (cell["kind"] not in found or cell["cell"] in PREFERRED):
            found[cell["kind"]] = cell
    if best := best_cell(result.cells, "decode_rate"):
        found["decode" if "decode" in found else best["kind"]] = best
    if energy := best_cell(result.cells, ENERGY):
        found["energy"] = energy
    chosen = [kind for kind in HEADLINE_ORDER if kind in found][:MOST_HEADLINES]
    return [_headline(found[kind], judged, ENERGY if kind == "energy" else None) for kind in chosen]


def _headline(cell: Mapping[str, Any], judged: Sequence[Judged], metric: str | None) -> Headline:
    figure = figures.published(cell, metric) if metric else figures.headline_of(cell)
    mine = next((each for each in judged if each.spec.name == cell["cell"]), None)
    values = mine.counted(figure.metric) if mine and figure.value is not None else []
    label = LOAD_LABEL if cell["kind"] == "load" else f"{figure.word}, {cell['cell']}"
    return Headline(label, figure, values)
