"""What of the models × machines matrix an address asks for: filters, the metric, the order."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.presenters.matrix_cells import Column
from benchmarks.presenters.matrix_metrics import METRICS, Metric
from obt_site.asked import Asked

GIGABYTE = 10**9
LATER_ROWS = 100_000


# Largest size in bytes of each class; None: no end.
SIZES: dict[str, tuple[str, int, int | None]] = {
    "s": ("up to 2 GB", 0, 2 * GIGABYTE),
    "m": ("2 to 8 GB", 2 * GIGABYTE, 8 * GIGABYTE),
    "l": ("8 to 20 GB", 8 * GIGABYTE, 20 * GIGABYTE),
    "xl": ("over 20 GB", 20 * GIGABYTE, None),
}
TESTED = {"yes": "run before", "no": "never run"}
SORTS = {
    "size": "smallest first",
    "-size": "largest first",
    "name": "by name",
    "family": "by family",
    "quantization": "by quantisation",
    "best": "best first",
    "latest": "measured last",
    "-latest": "not measured for longest",
    "machines": "on most machines",
}


@dataclass(frozen=True)
class Chip:
    """An active filter and the address without it."""

    label: str
    value: str
    without: str


@dataclass(frozen=True)
class Query:
    """What is asked for; None and empty mean everything. `match` is all that filters, as an address of its own."""

    q: str = ""
    family: str | None = None
    quantization: str | None = None
    size: str | None = None
    capability: str | None = None
    clients: tuple[str, ...] = ()
    label: str | None = None
    tested: str | None = None
    differs: bool = False
    metric_name: str = "decode"
    sort: str = "size"  # a name of SORTS, or a machine's id: best there first
    start: int = 0
    chips: Sequence[Chip] = ()
    ignored: Sequence[str] = ()
    match: str = "?"
    address: str = "?"  # all of it but where it starts

    @property
    def metric(self) -> Metric:
        return METRICS[self.metric_name]

    @property
    def narrows(self) -> bool:
        return bool(self.chips)


def read(asked: Asked, machines: Sequence[Column], labels: Iterable[str] = ()) -> Query:
    """The query of an address; what names no machine that is here is left out and said."""
    asked.texts("pick", most=2000)  # ticked boxes in the address of a link from elsewhere
    known = {machine.id: machine.name for machine in machines}
    chosen = asked.object_ids("client")
    clients = tuple(each for each in chosen if each in known)
    gone = [f"“client”: there is no machine with the id {each}." for each in chosen if each not in known][:1]
    label = asked.text("label")
    if label is not None and label not in set(labels):
        asked.drop("label", "is a label of no machine")
        label = None
    found = {
        "q": asked.text("q") or "",
        "family": asked.text("family"),
        "quantization": asked.text("quantization"),
        "size": asked.choice("size", {name: name for name in SIZES}, None),
        "capability": asked.text("capability"),
        "tested": asked.choice("tested", {name: name for name in TESTED}, None),
        "differs": asked.flag("differs"),
        "metric_name": asked.choice("metric", {name: name for name in METRICS}, "decode"),
        "sort": asked.choice("sort", {name: name for name in (*SORTS, *known)}, "size"),
        "start": asked.number("from", 0, LATER_ROWS) or 0,
    }
    first = {"from": None, "pick": None}
    query = Query(
        **found,  # type: ignore[arg-type]
        clients=clients,
        label=label,
        match=asked.url(**first, metric=None, sort=None, client=list(clients) or None),
        address=asked.url(**first),
    )
    chips = _chips(query, asked, known)
    return Query(**{**vars(query), "chips": chips, "ignored": [*gone, *asked.ignored]})


def _chips(query: Query, asked: Asked, names: Mapping[str, str]) -> list[Chip]:
    def without(name: str) -> str:
        return asked.url(**{name: None, "from": None})

    sizes = SIZES[query.size][0] if query.size else ""
    single = [
        ("q", "Name has", query.q),
        ("family", "Family", query.family),
        ("quantization", "Quantisation", query.quantization),
        ("size", "Size", sizes),
        ("capability", "Can", query.capability),
        ("label", "Machines labelled", query.label),
        ("tested", "Models", TESTED.get(query.tested or "", "")),
        ("differs", "Digest", "differs between machines" if query.differs else ""),
    ]
    found = [Chip(label, value, without(name)) for name, label, value in single if value]
    return found + [
        Chip("Machine", names[each], asked.url(client=[other for other in query.clients if other != each] or None))
        for each in query.clients
    ]
