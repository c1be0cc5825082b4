from __future__ import annotations

import json
import math
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Literal, Optional

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.obt_agent import wire
from agent.obt_agent.contract import ResultBody, SyncRequest
from agent.tests.test_contract import BODIES, contract, golden


@dataclass(frozen=True)
class Inner:
    number: int = field(metadata={"min": 0, "max": 10})
    share: Optional[float] = None  # noqa: UP045 - as the contract writes it, for Python 3.9


@dataclass(frozen=True)
class Outer:
    name: str = field(metadata={"min_length": 1, "max_length": 5})
    kind: Literal["a", "b", 3] = "a"
    flag: bool = False
    inner: Optional[Inner] = None  # noqa: UP045
    many: list[Inner] = field(default_factory=list, metadata={"max_items": 3})
    notes: dict[str, str] = field(default_factory=dict, metadata={"max_keys": 2})


def problems(value: Any, kind: Any = Outer) -> dict[str, str]:
    with pytest.raises(wire.WireError) as caught:
        wire.decode(kind, value)
    return {problem.path: problem.message for problem in caught.value.problems}


# -- reading JSON ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("body", [b"NaN", b"[Infinity]", b'{"a": -Infinity}'])
def test_it_refuses_numbers_that_are_none(body: bytes) -> None:
    with pytest.raises(wire.WireError, match="is not a JSON number"):
        wire.loads(body)


def test_a_number_too_large_for_a_float_is_refused_as_not_finite() -> None:
    assert problems({"name": "x", "inner": {"number": 1, "share": wire.loads(b"1e999")}}) == {
        "inner.share": "must be a finite number"
    }


@pytest.mark.parametrize("body", [b"", b"{", b'{"a": 1,}', b"\xff\xfe", b"'a'", b"{}{}", b"9" * 5000])
def test_it_refuses_what_is_no_json_with_a_reason(body: bytes) -> None:
    with pytest.raises(wire.WireError, match="is not valid JSON"):
        wire.loads(body)


def test_it_refuses_an_object_that_names_a_key_twice() -> None:
    with pytest.raises(wire.WireError, match="same key twice"):
        wire.loads(b'{"a": 1, "a": 2}')


@pytest.mark.parametrize("depth", [wire.MAX_DEPTH + 1, 100_000])
def test_it_refuses_nesting_without_end(depth: int) -> None:
    with pytest.raises(wire.WireError, match="nested"):
        wire.loads(b"[" * depth + b"]" * depth)


# -- reading values ----------------------------------------------------------------------------------------------


def test_it_reads_a_value_with_everything_in_it() -> None:
    value = {
        "name": "x",
        "kind": 3,
        "flag": True,
        "inner": {"number": 1},
        "many": [{"number": 2, "share": 1}],
        "notes": {"k": "v"},
    }
    assert wire.decode(Outer, value) == Outer("x", 3, True, Inner(1), [Inner(2, 1.0)], {"k": "v"})


def test_what_is_left_out_has_its_default() -> None:
    assert wire.decode(Outer, {"name": "x"}) == Outer("x")


def test_every_wrong_field_is_named_at_once() -> None:
    found = problems({"name": "", "kind": "c", "flag": 1, "inner": [], "many": [{"number": 11}, {}], "extra": 0})
    assert found == {
        "extra": "is not a field of this call",
        "name": "must not be empty",
        "kind": "must be one of a, b, 3",
        "flag": "must be true or false",
        "inner": "must be an object",
        "many.0.number": "must be between 0 and 10",
        "many.1.number": "is required",
    }


@pytest.mark.parametrize("name", [5, None, True, {"$ne": ""}, ["x"], 1.5])
def test_a_string_is_a_string_and_never_an_object(name: Any) -> None:
    assert problems({"name": name}) == {"name": "must be a string"}


@pytest.mark.parametrize("name", ["a\0b", "\ud800"])
def test_a_string_is_text(name: str) -> None:
    assert problems({"name": name}) == {"name": "has characters that are not text"}


def test_a_string_has_a_longest_length() -> None:
    assert problems({"name": "123456"}) == {"name": "is 6 characters long; at most 5 are taken"}


@pytest.mark.parametrize("number", [True, "1", 1.0, 1.5, None, [1]])
def test_a_whole_number_is_one(number: Any) -> None:
    assert "inner.number" in problems({"name": "x", "inner": {"number": number}})


@pytest.mark.parametrize("kind", [True, 1, ["a"], {"a": 1}, None, 3.5])
def test_a_choice_is_one_of_its_choices(kind: Any) -> None:
    assert "kind" in problems({"name": "x", "kind": kind})


def test_lists_and_maps_have_a_largest_size() -> None:
    assert "many" in problems({"name": "x", "many": [{"number": 1}] * 4})
    assert problems({"name": "x", "notes": {"a": "1", "b": "2", "c": "3"}}) == {"notes": "has too many keys"}


@pytest.mark.parametrize("key", ["", "$where", "a.b", "a\0", "k" * 101])
def test_a_maps_keys_are_fit_for_a_database(key: str) -> None:
    assert problems({"name": "x", "notes": {key: "v"}}) == {"notes": "has a key that is not allowed"}


def test_a_thousand_problems_are_not_listed_one_by_one() -> None:
    found = problems({f"field-{n}": 1 for n in range(1000)})
    assert len(found) <= wire.MAX_PROBLEMS


def test_the_error_is_readable_as_a_sentence() -> None:
    with pytest.raises(wire.WireError, match=r"body: must be an object"):
        wire.decode(Outer, [])


# -- writing -----------------------------------------------------------------------------------------------------


def test_an_agent_passes_over_fields_of_a_newer_server_and_still_checks_the_ones_it_knows() -> None:
    from agent.obt_agent.contract import ProgressResponse

    answer = wire.decode(ProgressResponse, {"acknowledged": 3, "cancel": False, "new": {"a": 1}}, lenient=True)

    assert answer == ProgressResponse(acknowledged=3, cancel=False)
    with pytest.raises(wire.WireError):
        wire.decode(ProgressResponse, {"acknowledged": "3", "cancel": False, "new": 1}, lenient=True)


def test_missing_is_written_as_null_and_never_left_out() -> None:
    assert json.loads(wire.dumps(Outer("x")))["inner"] is None


def test_a_number_that_is_not_finite_is_never_written() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        wire.dumps(Inner(1, math.nan))


# -- anything at all ---------------------------------------------------------------------------------------------

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=20,
)


def refused_at(kind: Any, body: Any) -> list[str]:
    """Where a body is wrong; empty when it is taken."""
    try:
        wire.decode(kind, body)
    except wire.WireError as error:
        return [problem.path for problem in error.problems]
    return []


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    with suppress(wire.WireError):  # and nothing else
        wire.loads(body)


@given(json_values)
def test_any_value_is_taken_or_refused_and_what_is_taken_comes_back(value: Any) -> None:
    for kind in (Outer, SyncRequest, ResultBody):
        if not refused_at(kind, value):
            taken = wire.decode(kind, value)
            assert wire.decode(kind, wire.loads(wire.dumps(taken))) == taken


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place inside a value, as the keys that lead to it."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, item in inside for place in places(item, (*path, key)))]


def replaced(value: Any, place: tuple[Any, ...], by: Any) -> Any:
    if not place:
        return by
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[place[0]] = replaced(value[place[0]], place[1:], by)
    return copy


@given(st.data())
def test_an_example_with_one_thing_replaced_is_taken_whole_or_refused_with_a_path_to_it(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(BODIES))
    place = data.draw(st.sampled_from(places(golden(name))))
    body = replaced(golden(name), place, data.draw(json_values))
    kind = getattr(contract, name)
    where, paths = ".".join(str(part) for part in place), refused_at(kind, body)
    assert all(path.startswith(where) or where.startswith(path) for path in paths)
    if not paths:
        taken = wire.decode(kind, body)
        assert wire.decode(kind, wire.loads(wire.dumps(taken))) == taken
