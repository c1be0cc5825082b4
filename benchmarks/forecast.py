"""Which earlier results tell how long a job will take: its own, else those of a machine with the same hardware.

Reads by the machine's and the model's indexes, within the newest results only; `expected.py` does the arithmetic.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bson import ObjectId

from agent.obt_agent.contract import CellSpec
from agents.documents import Client, ModelInstallation
from benchmarks import expected, numbers, suites
from benchmarks.documents import Result

WITHIN_RESULTS = 5000  # older ones tell of machines and models as they were
MERGED = 3  # results of one pair, so that a short session does not hide a whole one
TELLING_OUTCOMES = frozenset({"succeeded", "timed_out"})
OPTIONS = ("num_gpu", "num_thread", "num_batch")  # with others, the speed is another
SHORT = {
    "number": 1, "client": 1, "client_name": 1, "digest": 1, "simulated": 1, "hardware_config": 1, "outcome": 1,
    "conditions": 1, "created_at": 1,
}  # fmt: skip
WHOLE = {"cells": 1, "duration_s": 1}

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


def known(subjects: Sequence[Subject], options: Mapping[str, float] | None = None) -> dict[Pair, Forecast]:
    """What results of the same options tell of these pairs; a pair that nothing is known of is not in it."""
    after = numbers.latest("results") - WITHIN_RESULTS
    own = _own(subjects, options or {}, after)
    left = [one for one in subjects if one.pair not in own]
    twins = _of_equal_hardware(left, options or {}, after)
    cells = _whole([*own.values(), *twins.values()])
    found = {one.pair: _forecast(own[one.pair], cells, True) for one in subjects if one.pair in own}
    return found | {pair: _forecast(results, cells, False) for pair, results in twins.items()}


def _own(subjects: Sequence[Subject], options: Mapping[str, float], after: int) -> dict[Pair, list[Found]]:
    found: dict[Pair, list[Found]] = {}
    for client in {one.client for one in subjects}:
        wanted = [one for one in subjects if one.client == client]
        results = _newest({"client": client}, options, after)
        for one in wanted:
            mine = [each for each in results if (each["digest"], each["simulated"]) == (one.digest, one.simulated)]
            found |= {one.pair: mine[:MERGED]} if mine else {}
    return found


def _of_equal_hardware(
    subjects: Sequence[Subject], options: Mapping[str, float], after: int
) -> dict[Pair, list[Found]]:
    """By pair the newest results of one other machine; only asked where there is one with the same hardware."""
    if not subjects:
        return {}
    gear = [client.get("hardware_config") for client in Client._get_collection().find({}, {"hardware_config": 1})]
    found: dict[Pair, list[Found]] = {}
    having = [one for one in subjects if one.hardware_config and gear.count(one.hardware_config) > 1]
    for digest in {one.digest for one in having}:
        results = _newest({"digest": digest}, options, after)
        for one in (each for each in having if each.digest == digest):
            like = [each for each in results if _is_like(each, one)]
            found |= {one.pair: [each for each in like if each["client"] == like[0]["client"]][:MERGED]} if like else {}
    return found


def _is_like(result: Found, one: Subject) -> bool:
    return bool(result["hardware_config"] == one.hardware_config and result["simulated"] == one.simulated)


def _newest(equal: Mapping[str, Any], options: Mapping[str, float], after: int) -> list[Found]:
    query = {**equal, "number": {"$gt": after}}
    results = [each for each in Result._get_collection().find(query, SHORT) if _tells(each, options)]
    return sorted(results, key=lambda result: -result["number"])


def _tells(result: Found, options: Mapping[str, float]) -> bool:
    measured_with = result.get("conditions") or {}
    same = all(
        measured_with.get(f"option_{name}") == (f"{options[name]:g}" if name in options else None) for name in OPTIONS
    )
    return same and result["outcome"] in TELLING_OUTCOMES and result.get("hardware_config") is not None


def _whole(chosen: Iterable[Sequence[Found]]) -> dict[str, Found]:
    """The chosen results with their cells, by id, in one query."""
    ids = sorted({result["_id"] for results in chosen for result in results})
    return {each["_id"]: each for each in Result._get_collection().find({"_id": {"$in": ids}}, WHOLE)} if ids else {}


def _forecast(results: Sequence[Found], cells: Mapping[str, Found], own: bool) -> Forecast:
    told = expected.speeds(cells[each["_id"]] for each in results if each["_id"] in cells)
    day = results[0]["created_at"].date().isoformat()
    whose = "its result" if own else f"{results[0].get('client_name') or 'another machine'}'s result"
    return Forecast(told, f"from {whose} of {day}" + ("" if own else ", on the same hardware"), own)
