"""The golden examples in `golden/`: one body of every call, parsed and written by the same types on both sides.

A change of the contract shows here first: an example that no longer parses means that older agents are cut off.
"""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path
from typing import Any, get_type_hints

import pytest

from agent.obt_agent import contract, wire

GOLDEN = Path(__file__).parent / "golden"
BODIES = sorted(path.stem for path in GOLDEN.glob("*.json"))
ROOT = Path(__file__).resolve().parents[2]


def golden(name: str) -> Any:
    return json.loads((GOLDEN / f"{name}.json").read_text(encoding="utf-8"))


def test_every_body_of_the_contract_has_an_example() -> None:
    named = set(re.findall(r"\b(\w+(?:Request|Response|Body|Answer))\b", contract.__doc__ or ""))
    assert named == set(BODIES)


@pytest.mark.parametrize("name", BODIES)
def test_an_example_comes_back_unchanged(name: str) -> None:
    kind = getattr(contract, name)
    value = wire.decode(kind, wire.loads((GOLDEN / f"{name}.json").read_bytes()))
    assert json.loads(wire.dumps(value)) == golden(name)
    assert wire.decode(kind, wire.loads(wire.dumps(value))) == value


@pytest.mark.parametrize("name", BODIES)
def test_an_example_shows_every_field(name: str) -> None:
    kind = getattr(contract, name)
    assert set(golden(name)) == {field.name for field in dataclasses.fields(kind)}


@pytest.mark.parametrize("name", BODIES)
def test_an_unknown_field_is_refused_by_its_name(name: str) -> None:
    with pytest.raises(wire.WireError) as caught:
        wire.decode(getattr(contract, name), {**golden(name), "surprise": 1})
    assert wire.Problem("surprise", "is not a field of this call") in caught.value.problems


def required(kind: type) -> list[str]:
    missing = dataclasses.MISSING
    return [f.name for f in dataclasses.fields(kind) if f.default is missing and f.default_factory is missing]


@pytest.mark.parametrize(("name", "field"), [(n, f) for n in BODIES for f in required(getattr(contract, n))])
def test_a_required_field_that_is_left_out_is_named(name: str, field: str) -> None:
    body = golden(name)
    del body[field]
    with pytest.raises(wire.WireError) as caught:
        wire.decode(getattr(contract, name), body)
    assert wire.Problem(field, "is required") in caught.value.problems


@pytest.mark.parametrize("name", BODIES)
@pytest.mark.parametrize("wrong", [{"$ne": ""}, ["x"], float("inf"), "\0", -(2**70)])
def test_a_value_of_the_wrong_kind_is_refused_in_every_required_field(name: str, wrong: Any) -> None:
    kind = getattr(contract, name)
    for field in required(kind):
        with pytest.raises(wire.WireError):
            wire.decode(kind, {**golden(name), field: wrong})


def test_optional_fields_may_be_left_out() -> None:
    body = {field: value for field, value in golden("SyncRequest").items() if field in required(contract.SyncRequest)}
    assert wire.decode(contract.SyncRequest, body).holding == []


@pytest.mark.parametrize("problem", ["refused", "timeout", "not_ollama", "error", None])
def test_ollamas_problems_are_the_four_there_are(problem: str | None) -> None:
    body = {**golden("SyncRequest")["ollama"], "problem": problem}
    assert wire.decode(contract.OllamaState, body).problem == problem
    with pytest.raises(wire.WireError):
        wire.decode(contract.OllamaState, {**body, "problem": "other"})


def test_more_than_one_slot_or_a_hold_of_an_hour_is_refused() -> None:
    for change in ({"slots": 2}, {"slots": -1}, {"hold_s": 3600}, {"protocol": 0}):
        with pytest.raises(wire.WireError):
            wire.decode(contract.SyncRequest, {**golden("SyncRequest"), **change})


def test_every_type_has_annotations_that_can_be_read() -> None:
    kinds = [getattr(contract, name) for name in contract.__all__]
    assert all(get_type_hints(kind) for kind in kinds)
    assert all(kind.__dataclass_params__.frozen for kind in kinds)


def test_the_agents_package_imports_nothing_of_the_server() -> None:
    forbidden = re.compile(
        r"^\s*(?:from|import) (django|mongoengine|channels|obt_site|agents|benchmarks|agent)\b", re.M
    )
    files = list((ROOT / "agent/obt_agent").rglob("*.py"))
    assert len(files) > 20
    assert [file.name for file in files if forbidden.search(file.read_text(encoding="utf-8"))] == []


def test_what_a_server_from_before_renewal_answers_is_read_and_asks_for_nothing() -> None:
    older = {field: value for field, value in golden("SyncResponse").items() if field != "renew"}
    assert wire.decode(contract.SyncResponse, older, lenient=True).renew is False


def test_an_agent_from_before_renewal_passes_over_what_it_does_not_know() -> None:
    newer = {**golden("SyncResponse"), "renew_later": {"in": 5}}
    assert wire.decode(contract.SyncResponse, newer, lenient=True).server_time == newer["server_time"]


def test_nothing_new_is_sent_to_a_server_that_did_not_ask_for_it() -> None:
    """A server refuses fields it does not know, so what agents always send stays what protocol 1 began with."""
    register = {"token", "hostname", "agent_version", "protocol", "name"}
    assert {field.name for field in dataclasses.fields(contract.RegisterRequest)} == register
    assert "renew" not in {field.name for field in dataclasses.fields(contract.SyncRequest)}
