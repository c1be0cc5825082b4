"""Which earlier results tell how long a job will take: its own, else those of a machine with the same hardware.

Looks through the shelf, within the newest results only; `expected.py` does the arithmetic.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from bson import ObjectId

from agent.obt_agent.contract import CellSpec
from agents.documents import Client, ModelInstallation
from benchmarks import expected, shelf, suites
from benchmarks.documents import Result
from benchmarks.shelf import OPTIONS, Short

WITHIN_RESULTS = 5000  # older ones tell of machines and models as they were
MERGED = 3  # results of one pair, so that a short session does not hide a whole one
TELLING_OUTCOMES = frozenset({"succeeded", "timed_out"})
WHOLE = {"cells": 1, "duration_s": 1}
MOST_LEARNT = 4096  # pairs whose speeds are kept in the process

Found = Mapping[str, Any]
Pair = tuple[ObjectId, str]


@dataclass(frozen=True)
class Subject:
    """A model on a machine, as far as results are looked up by it."""

    client: ObjectId
    digest: str
    simulated: bool
    hardware_config: str | None

    @property
    def pair(self) -> Pair:
        return self.client, self.digest


@dataclass(frozen=True)
class Forecast:
    """What is known of one pair. `ground` says from where, in words; `own`: from its own results."""

    speeds: expected.Speeds
    ground: str
    own: bool

    def job_s(self, cells: Iterable[CellSpec], budget_s: float) -> float | None:
        """Seconds the job will take; None when these results do not tell."""
        return expected.job_s(cells, budget_s, self.speeds)


def subject(client: Client, digest: str) -> Subject:
    """The pair of a machine and a model's digest."""
    return Subject(client.id, digest, bool((client.ollama or {}).get("simulated")), client.hardware_config)


def measurable(cells: Iterable[CellSpec], model: ModelInstallation) -> list[CellSpec]:
    """The cells that the agent will run on this model, not those it skips for their length."""
    return [spec for spec in suites.cells_for(cells, model) if not suites.too_long(spec, model)]


def known(
    subjects: Sequence[Subject], options: Mapping[str, float] | None = None, most: int | None = None
) -> dict[Pair, Forecast]:
    """What results of the same options tell of these pairs, of `most` of them at most; unknown ones are not in it."""
    if not subjects:
        return {}
    told = _told(subjects, options or {})
    chosen = {one.pair: found for one in subjects if (found := _results_for(one, told))}
    limited = dict(islice(chosen.items(), most))
    learnt = _learnt(list(limited.values()))
    return {pair: _forecast(results, learnt[_ids(results)], pair) for pair, results in limited.items()}


def _told(subjects: Sequence[Subject], options: Mapping[str, float]) -> dict[tuple[str, bool], list[Short]]:
    """The results that tell something, by digest and whether they are simulated, newest first."""
    wanted = {(one.digest, one.simulated) for one in subjects}
    asked_for = tuple(f"{options[name]:g}" if name in options else None for name in OPTIONS)
    results = shelf.results()
    after = results[0].number - WITHIN_RESULTS if results else 0
    found: dict[tuple[str, bool], list[Short]] = {}
    for one in results:
        if one.number <= after:
            break
        key = (one.digest or "", one.simulated)
        if key in wanted and one.options == asked_for and _tells(one):
            found.setdefault(key, []).append(one)
    return found


def _tells(result: Short) -> bool:
    return result.outcome in TELLING_OUTCOMES and result.hardware_config is not None


def _results_for(one: Subject, told: Mapping[tuple[str, bool], Sequence[Short]]) -> tuple[Short, ...]:
    """The newest of its own; where it has none, of one other machine with the same hardware."""
    results = told.get((one.digest, one.simulated), ())
    own = [each for each in results if each.client == str(one.client)]
    if not own and one.hardware_config:
        like = [each for each in results if each.hardware_config == one.hardware_config]
        own = [each for each in like if each.client == like[0].client]
    return tuple(own[:MERGED])


def _ids(results: Sequence[Short]) -> tuple[str, ...]:
    return tuple(each.id for each in results)


_kept: dict[tuple[str | None, tuple[str, ...]], expected.Speeds] = {}


def _learnt(chosen: Sequence[Sequence[Short]]) -> dict[tuple[str, ...], expected.Speeds]:
    """The speeds that each group of results tells; read once, in one query, until stored results are corrected."""
    epoch = shelf.shelf.epoch
    groups = {_ids(results) for results in chosen}
    found = {ids: kept for ids in groups if (kept := _kept.get((epoch, ids))) is not None}
    cells = _whole(ids for ids in groups if ids not in found)
    new = {ids: expected.speeds(cells[each] for each in ids if each in cells) for ids in groups if ids not in found}
    if len(_kept) + len(new) > MOST_LEARNT:
        _kept.clear()
    _kept.update({(epoch, ids): speeds for ids, speeds in new.items()})
    return found | new


def _whole(groups: Iterable[Sequence[str]]) -> dict[str, Found]:
    """The results of these groups with their cells, by id."""
    ids = sorted({each for group in groups for each in group})
    return {each["_id"]: each for each in Result._get_collection().find({"_id": {"$in": ids}}, WHOLE)} if ids else {}


def _forecast(results: Sequence[Short], speeds: expected.Speeds, pair: Pair) -> Forecast:
    day, own = results[0].created_at.date().isoformat(), results[0].client == str(pair[0])
    whose = "its result" if own else f"{results[0].client_name}'s result"
    return Forecast(speeds, f"from {whose} of {day}" + ("" if own else ", on the same hardware"), own)
