"""The rows of a comparison as the page tells them, and the sentence they come to."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from benchmarks import compare
from benchmarks.compare import Comparison, Row, Side
from benchmarks.pairing import HIGHER_IS_BETTER
from benchmarks.presenters import figures
from benchmarks.presenters.machines import plural
from benchmarks.statistics import MINIMUM_EFFECT, Verdict
from obt_site.formatting import number

WORDS = {
    Verdict.FASTER: ("Faster", "up", "good"),
    Verdict.SLOWER: ("Slower", "down", "bad"),
    Verdict.SAME: ("No detectable difference", "same", ""),
    Verdict.TOO_FEW: ("Too few to tell", "dashed", ""),
    Verdict.NOT_COMPARABLE: ("Not comparable", "never", ""),
}
STEPS = (0.10, 0.30)  # of a heat map: from here on its colour is stronger
ZONE = MINIMUM_EFFECT


@dataclass(frozen=True)
class Spread:
    """One side's number: a median with its interval (a range of fewer than 6), of `n` values."""

    median: float
    low: float | None
    high: float | None
    n: int
    values: Sequence[float]


@dataclass(frozen=True)
class RowView:
    """One cell of one pair. Changes are shares; `about_a` and `about_b` each side's values as shares of A's median."""

    cell: str
    metric: str
    unit: str
    higher_is_better: bool
    a: Spread | None
    b: Spread | None
    change: float | None
    low: float | None
    high: float | None
    verdict: Verdict
    notes: Sequence[str]
    p: float | None = None
    about_a: Sequence[float] = ()
    about_b: Sequence[float] = ()

    @property
    def word(self) -> str:
        return WORDS[self.verdict][0]

    @property
    def glyph(self) -> str:
        return WORDS[self.verdict][1]

    @property
    def tone(self) -> str:
        return WORDS[self.verdict][2]

    @property
    def is_comparable(self) -> bool:
        return self.verdict is not Verdict.NOT_COMPARABLE

    @property
    def sides(self) -> list[Spread | None]:
        return [self.a, self.b]

    @property
    def percent(self) -> str:
        """`+6.5`, `−0.4`"""
        return signed(self.change)

    @property
    def percents(self) -> str:
        return "" if self.low is None or self.high is None else f"{signed(self.low)} to {signed(self.high)}"

    @property
    def low_percent(self) -> float | None:
        return None if self.low is None else 100 * self.low

    @property
    def high_percent(self) -> float | None:
        return None if self.high is None else 100 * self.high

    @property
    def change_percent(self) -> float | None:
        return None if self.change is None else 100 * self.change

    @property
    def step(self) -> int:
        """How strong a heat map colours it: 0 for what is no verdict, else 1 to 3."""
        if self.verdict not in (Verdict.FASTER, Verdict.SLOWER) or self.change is None:
            return 0
        return 1 + sum(abs(self.change) >= step for step in STEPS)

    @property
    def sentence(self) -> str:
        """For a reader who does not see the picture."""
        change = f" by {self.percents} %" if self.percents and self.step else ""
        return f"{self.cell}, {self.metric}: {self.word.lower()}{change}. {' '.join(self.notes)}".strip()


@dataclass(frozen=True)
class Group:
    """Rows of one model, on one machine where the comparison is not about machines."""

    model: str | None
    machine: str | None
    rows: Sequence[RowView]


def groups(found: Comparison) -> list[Group]:
    """The rows under their model and machine, in the order in which they were found."""
    names = {str(one.client): one.client_name for one in (*found.base, *found.other)}
    gathered: dict[tuple[str | None, str | None], list[RowView]] = {}
    for row in found.rows:
        gathered.setdefault((row.place.model, row.place.client), []).append(row_view(row))
    return [Group(model, names.get(client or ""), rows) for (model, client), rows in gathered.items()]


def row_view(row: Row) -> RowView:
    """A row in words and numbers."""
    a, b = _spread(row.base), _spread(row.other)
    change = row.change
    middle = a.median if a else None
    return RowView(
        cell=row.place.cell,
        metric=figures.metric_word(row.place.metric),
        unit=row.unit,
        higher_is_better=HIGHER_IS_BETTER[row.place.metric],
        a=a,
        b=b,
        change=change.change if change else None,
        low=change.low if change else None,
        high=change.high if change else None,
        verdict=row.verdict,
        notes=_notes(row),
        p=row.p_corrected,
        about_a=_shares(a, middle),
        about_b=_shares(b, middle),
    )


def _spread(side: Side | None) -> Spread | None:
    summary = side.summary if side else None
    if side is None or summary is None:
        return None
    return Spread(summary.median, summary.low, summary.high, len(side.values), side.values)


def _shares(side: Spread | None, middle: float | None) -> list[float]:
    return [value / middle - 1 for value in side.values] if side and middle else []


def _notes(row: Row) -> list[str]:
    """What stands under the verdict: the reasons, or the test and what it was made of."""
    said = [reason.replace("“base”", "A").replace("“with”", "B") for reason in row.reasons]
    if row.p_corrected is not None and row.base and row.other:
        what = compare.BY_SESSIONS if row.compared == compare.BY_SESSIONS else compare.BY_SAMPLES
        said.append(f"p {_p(row.p_corrected)}, {len(row.base.values)} against {len(row.other.values)} {what}")
    left_out = [side.left_out if side else 0 for side in (row.base, row.other)]
    if any(left_out):
        names = [f"{count} of {letter}" for letter, count in zip("AB", left_out, strict=True) if count]
        said.append(f"not used: {plural(sum(left_out), 'result')}, {' and '.join(names)}")
    return said


def _p(p: float) -> str:
    return "below 0.001" if p < 0.001 else f"{p:.3f}"


def signed(share: float | None) -> str:
    """A share as a percentage with its sign; one decimal, none from a hundred on."""
    if share is None:
        return "—"
    size = 100 * share
    text = number(size, 0 if abs(size) >= 99.95 else 1)
    return f"+{text}" if size > 0 and text.strip("0.") else text


# -- in a sentence ---------------------------------------------------------------------------------------------------


def lead(rows: Sequence[RowView], a: str, b: str) -> tuple[str, str]:
    """The verdict: what is certain, then what is not."""
    by = {verdict: [row for row in rows if row.verdict is verdict] for verdict in Verdict}
    faster, slower, same = by[Verdict.FASTER], by[Verdict.SLOWER], by[Verdict.SAME]
    told = len(faster) + len(slower) + len(same)
    rest = _unsaid(by[Verdict.TOO_FEW], by[Verdict.NOT_COMPARABLE])
    if not told:
        return f"Nothing can be said about {b} against {a}.", rest
    if not faster and not slower:
        return f"No difference between {a} and {b} can be detected in {plural(told, 'cell')}.", rest
    said = []
    if faster:
        said.append(f"{b} is faster than {a} in {len(faster)} of {plural(told, 'cell')}, by {_by(faster)}.")
    if slower:
        who = "It is slower in" if faster else f"{b} is slower than {a} in"
        of = "" if faster else f" of {plural(told, 'cell')}"
        said.append(f"{who} {len(slower)}{of}, by {_by(slower)}{_named(slower)}.")
    if same:
        said.append(f"In {len(same)} no difference can be detected.")
    return said[0], " ".join([*said[1:], rest]).strip()


def _unsaid(few: Sequence[RowView], never: Sequence[RowView]) -> str:
    parts = [
        f"{plural(len(few), 'cell')} {'has' if len(few) == 1 else 'have'} too few values to tell" if few else "",
        f"{plural(len(never), 'cell')} cannot be compared" if never else "",
    ]
    said = ", ".join(filter(None, parts))
    return f"{said}." if said else ""


def _by(rows: Iterable[RowView]) -> str:
    sizes = sorted(abs(row.change or 0.0) for row in rows)
    ends = dict.fromkeys(signed(size).removeprefix("+") for size in (sizes[0], sizes[-1]))
    return f"{' to '.join(ends)} %"


def _named(rows: Sequence[RowView]) -> str:
    cells = list(dict.fromkeys(row.cell for row in rows))
    return f" ({', '.join(cells)})" if len(cells) <= 3 else ""
