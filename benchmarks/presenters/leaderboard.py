"""Which machine is how fast: the latest valid rate of a model, or of the fastest model of a size, on each machine.

Counted are real results as long as there is one; simulated ones only where there is nothing else, and that is said.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from benchmarks.presenters.figures import Figure
from benchmarks.shelf import Short

RATES = (("decode_rate", "tok/s"), ("item_rate", "items/s"))  # an embedding model has only the second
MODELS_OFFERED = 40  # that are measured on the most machines
SIZE = re.compile(r"(?:(\d+)x)?(\d+(?:\.\d+)?)\s*([KMB])", re.IGNORECASE)
BILLIONS = {"k": 1e-6, "m": 1e-3, "b": 1.0}
# name in addresses → words, from and below how many billions of parameters
SIZES: Mapping[str, tuple[str, float, float]] = {
    "2b": ("up to 2B", 0.0, 2.0),
    "5b": ("2B to 5B", 2.0, 5.0),
    "10b": ("5B to 10B", 5.0, 10.0),
    "20b": ("10B to 20B", 10.0, 20.0),
    "40b": ("20B to 40B", 20.0, 40.0),
    "max": ("40B and more", 40.0, float("inf")),
}
ByModel = Mapping[str, Mapping[str, Short]]  # model → machine → its newest valid result


@dataclass(frozen=True)
class Place:
    """One machine on the board, with the result that put it there."""

    client_id: str
    client_name: str
    model: str
    digest: str | None
    result_id: str
    figure: Figure
    simulated: bool
    measured_at: datetime


@dataclass(frozen=True)
class Board:
    """The machines, fastest first. `highest` is the largest interval end, for one scale in all rows."""

    places: Sequence[Place]
    unit: str

    @property
    def highest(self) -> float:
        return max((each.figure.high or each.figure.value or 0.0 for each in self.places), default=0.0)

    @property
    def is_simulated(self) -> bool:
        return any(each.simulated for each in self.places)

    @property
    def digests_differ(self) -> bool:
        """Whether machines of one name's row were measured with other content than the rest."""
        by_model: dict[str, set[str | None]] = defaultdict(set)
        for each in self.places:
            by_model[each.model].add(each.digest)
        return any(len(digests) > 1 for digests in by_model.values())


def counted(results: Sequence[Short]) -> Sequence[Short]:
    """Simulated results step back as soon as there is a real one."""
    real = [one for one in results if not one.simulated]
    return real or results


def rate_of(one: Short) -> Figure | None:
    """The rate that stands for a result: of decoding, of an embedding model of texts; None where it has neither."""
    for metric, unit in RATES:
        spread = one.spread(metric)
        if spread is not None:
            return Figure(metric, spread.cell, spread.median, unit, spread.low, spread.high, spread.n)
    return None


def latest_valid(results: Iterable[Short], clients: Iterable[str]) -> dict[str, dict[str, Short]]:
    """By model, each of these machines' newest valid result of it that has a rate. `results` are newest first."""
    there = set(clients)
    found: dict[str, dict[str, Short]] = defaultdict(dict)
    for one in results:
        known = found[one.model]
        if one.valid and one.client in there and one.client not in known and _has_rate(one):
            known[one.client] = one
    return {model: by_client for model, by_client in found.items() if by_client}


def _has_rate(one: Short) -> bool:
    return any(one.median(metric) is not None for metric, _ in RATES)


def reference(by_model: ByModel) -> str | None:
    """The model to compare machines by: measured on the most of them, the one measured last where several are."""
    return max(
        by_model,
        key=lambda model: (len(by_model[model]), max(one.number for one in by_model[model].values())),
        default=None,
    )


def figures_of(by_model: ByModel, model: str | None) -> dict[str, Figure]:
    """Each machine's latest valid rate of this model."""
    found = {client: rate_of(one) for client, one in by_model.get(model or "", {}).items()}
    return {client: figure for client, figure in found.items() if figure is not None}


def offered(by_model: ByModel) -> list[str]:
    """The models that say most about the fleet, by name."""
    most = sorted(by_model, key=lambda model: (-len(by_model[model]), model))[:MODELS_OFFERED]
    return sorted(most)


def of_model(by_model: ByModel, model: str, names: Mapping[str, str]) -> Board:
    """Each machine's latest valid rate of this model."""
    return _board(list(by_model.get(model, {}).values()), names)


def of_size(by_model: ByModel, size: str, names: Mapping[str, str]) -> Board:
    """Each machine's fastest model of this size, by its latest valid decode rate."""
    _, low, high = SIZES[size]
    best: dict[str, Short] = {}
    for by_client in by_model.values():
        for client, one in by_client.items():
            rate, billions = one.median("decode_rate"), billions_of(one.parameter_size)
            if rate is None or billions is None or not low <= billions < high:
                continue
            if client not in best or rate > (best[client].median("decode_rate") or 0.0):
                best[client] = one
    return _board(list(best.values()), names)


def billions_of(parameter_size: str | None) -> float | None:
    """`3.2B` → 3.2, `270M` → 0.27, `8x7B` → 56; None for what is no size."""
    found = SIZE.fullmatch((parameter_size or "").strip())
    if found is None:
        return None
    return int(found[1] or 1) * float(found[2]) * BILLIONS[found[3].lower()]


def _board(results: Sequence[Short], names: Mapping[str, str]) -> Board:
    places = [place for one in results if (place := _place(one, names)) is not None]
    places.sort(key=lambda place: -(place.figure.value or 0.0))
    return Board(places, places[0].figure.unit if places else "")


def _place(one: Short, names: Mapping[str, str]) -> Place | None:
    figure = rate_of(one)
    if figure is None:
        return None
    return Place(
        client_id=one.client,
        client_name=names.get(one.client, one.client_name),
        model=one.model,
        digest=one.digest,
        result_id=one.id,
        figure=figure,
        simulated=one.simulated,
        measured_at=one.created_at,
    )
