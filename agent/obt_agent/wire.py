"""Strict JSON for typed dataclasses: the decoder both sides of the wire contract use.

`loads` reads bytes and refuses what JSON readers like to let through (NaN, Infinity, duplicate keys, numbers of
thousands of digits, nesting without end). `decode` turns the value into a dataclass and refuses unknown fields, wrong
types, numbers out of range and strings that are too long, with one message per field. `encode` is its reverse.

Errors: `WireError`, with `.problems`, a list of `Problem(path, message)`.
"""

from __future__ import annotations

import dataclasses
import json
import math
import typing
from typing import Any, NamedTuple, Optional, TypeVar, Union

T = TypeVar("T")

MAX_STRING = 512
MAX_ITEMS = 2000
MAX_DEPTH = 32
MAX_INT = 2**63 - 1
MAX_PROBLEMS = 20


class Problem(NamedTuple):
    """One thing wrong with a body: where (`cells.0.name`, empty for the whole) and what."""

    path: str
    message: str


class WireError(ValueError):
    """The body is not what the contract says; nothing of it was used."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems
        super().__init__("; ".join(f"{p.path or 'body'}: {p.message}" for p in problems))


def loads(body: bytes) -> Any:
    """Read JSON strictly. Raises WireError with the position where reading stopped."""
    try:
        value = json.loads(body.decode("utf-8"), parse_constant=_refuse_constant, object_pairs_hook=_unique)
    except RecursionError:
        raise WireError([Problem("", "is nested too deeply")]) from None
    except (UnicodeDecodeError, ValueError) as error:
        raise WireError([Problem("", f"is not valid JSON: {error}")]) from None
    if _depth(value) > MAX_DEPTH:
        raise WireError([Problem("", f"is nested more than {MAX_DEPTH} levels deep")])
    return value


def dumps(value: Any) -> bytes:
    """Write JSON; raises ValueError for a number that is not finite."""
    return json.dumps(encode(value), allow_nan=False, separators=(",", ":"), ensure_ascii=False).encode()


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON number")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("an object names the same key twice")
    return result


def _depth(value: Any) -> int:
    depth, layer = 0, [value]
    while layer and depth <= MAX_DEPTH:
        depth += 1
        layer = [
            child
            for item in layer
            if isinstance(item, (dict, list))
            for child in (item.values() if isinstance(item, dict) else item)
        ]
    return depth


def encode(value: Any) -> Any:
    """Turn dataclasses into plain dicts. Missing values are sent as null, never left out."""
    if value is None or isinstance(value, (str, int, float)):
        return value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {name: encode(getattr(value, name)) for name in _fields(type(value))}
    if isinstance(value, (list, tuple)):
        return [encode(item) for item in value]
    if isinstance(value, dict):
        return {str(key): encode(item) for key, item in value.items()}
    return value


def decode(kind: type[T], value: Any, *, lenient: bool = False) -> T:
    """Make a `kind` (a dataclass) of a plain value, or raise WireError naming every field that is wrong.

    `lenient` passes over unknown fields: an agent reads the answers of a newer server so.
    """
    reader = _Reader(lenient)
    result = reader.read(kind, value, "", {})
    if reader.problems:
        raise WireError(reader.problems)
    return typing.cast("T", result)


_PLAIN = (str, int, float, bool)


class _Reader:
    """Collects problems while reading, so that the sender sees all of them at once."""

    def __init__(self, lenient: bool = False) -> None:
        self.lenient = lenient
        self.problems: list[Problem] = []

    def fail(self, path: str, message: str) -> None:
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append(Problem(path, message))

    def read(self, kind: Any, value: Any, path: str, limits: dict[str, Any]) -> Any:
        if len(self.problems) >= MAX_PROBLEMS:
            return None
        if kind in _PLAIN:
            return self.read_scalar(kind, value, path, limits)
        if dataclasses.is_dataclass(kind):
            return self.read_object(kind, value, path)
        origin = typing.get_origin(kind)
        if origin is Union:
            return self.read_optional(kind, value, path, limits)
        if origin is list:
            return self.read_list(kind, value, path, limits)
        if origin is dict:
            return self.read_dict(kind, value, path, limits)
        if origin is typing.Literal:
            return self.read_choice(kind, value, path)
        return self.read_scalar(kind, value, path, limits)

    def read_object(self, kind: Any, value: Any, path: str) -> Any:
        if not isinstance(value, dict):
            return self.fail(path, "must be an object")
        fields = _fields(kind)
        for name in value:
            if name not in fields and not self.lenient:
                self.fail(_join(path, str(name)[:60]), "is not a field of this call")
        known = {}
        for name, (hint, limits, is_required) in fields.items():
            if name in value:
                known[name] = self.read(hint, value[name], _join(path, name), limits)
            elif is_required:
                self.fail(_join(path, name), "is required")
        return None if self.problems else kind(**known)

    def read_optional(self, kind: Any, value: Any, path: str, limits: dict[str, Any]) -> Any:
        if value is None:
            return None
        inner = [arm for arm in typing.get_args(kind) if arm is not type(None)]
        return self.read(inner[0], value, path, limits)

    def read_list(self, kind: Any, value: Any, path: str, limits: dict[str, Any]) -> Any:
        if not isinstance(value, list):
            return self.fail(path, "must be a list")
        most = limits.get("max_items", MAX_ITEMS)
        if len(value) > most:
            return self.fail(path, f"has {len(value)} items; at most {most} are taken")
        (inner,) = typing.get_args(kind)
        return [self.read(inner, item, _join(path, str(i)), limits) for i, item in enumerate(value)]

    def read_dict(self, kind: Any, value: Any, path: str, limits: dict[str, Any]) -> Any:
        if not isinstance(value, dict):
            return self.fail(path, "must be an object")
        if len(value) > limits.get("max_keys", 100):
            return self.fail(path, "has too many keys")
        _, inner = typing.get_args(kind)
        for key in value:
            if not key or len(key) > 100 or key.startswith("$") or "." in key or "\0" in key:
                return self.fail(path, "has a key that is not allowed")
        return {key: self.read(inner, item, _join(path, key), limits) for key, item in value.items()}

    def read_choice(self, kind: Any, value: Any, path: str) -> Any:
        choices = typing.get_args(kind)
        if isinstance(value, (str, int)) and not isinstance(value, bool) and value in choices:
            return value
        return self.fail(path, f"must be one of {', '.join(str(c) for c in choices)}")

    def read_scalar(self, kind: Any, value: Any, path: str, limits: dict[str, Any]) -> Any:
        if kind is bool:
            return value if isinstance(value, bool) else self.fail(path, "must be true or false")
        if kind is str:
            return self.read_string(value, path, limits)
        if kind in (int, float):
            return self.read_number(kind, value, path, limits)
        raise TypeError(f"{path}: the contract uses a type the decoder does not know: {kind!r}")

    def read_string(self, value: Any, path: str, limits: dict[str, Any]) -> Optional[str]:
        if not isinstance(value, str):
            return self.fail(path, "must be a string")  # type: ignore[func-returns-value]
        most = limits.get("max_length", MAX_STRING)
        if len(value) > most:
            return self.fail(path, f"is {len(value)} characters long; at most {most} are taken")  # type: ignore[func-returns-value]
        if len(value) < limits.get("min_length", 0):
            return self.fail(path, "must not be empty")  # type: ignore[func-returns-value]
        if "\0" in value or any("\ud800" <= ch <= "\udfff" for ch in value):
            return self.fail(path, "has characters that are not text")  # type: ignore[func-returns-value]
        return value

    def read_number(self, kind: Any, value: Any, path: str, limits: dict[str, Any]) -> Any:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            return self.fail(path, "must be a number")
        if kind is int and not isinstance(value, int):
            return self.fail(path, "must be a whole number")
        if isinstance(value, float) and not math.isfinite(value):
            return self.fail(path, "must be a finite number")
        low, high = limits.get("min", -MAX_INT), limits.get("max", MAX_INT)
        if not low <= value <= high:
            return self.fail(path, f"must be between {low} and {high}")
        return float(value) if kind is float else value


class _Field(NamedTuple):
    """What the reader has to know of one field."""

    hint: Any
    limits: dict[str, Any]
    is_required: bool


_FIELDS: dict[Any, dict[str, _Field]] = {}


def _fields(kind: Any) -> dict[str, _Field]:
    """The fields of a dataclass by name, looked up once: every heartbeat of every machine is read by them."""
    if kind not in _FIELDS:
        hints = typing.get_type_hints(kind)
        _FIELDS[kind] = {
            each.name: _Field(
                hints[each.name],
                dict(each.metadata),
                each.default is dataclasses.MISSING and each.default_factory is dataclasses.MISSING,
            )
            for each in dataclasses.fields(kind)
        }
    return _FIELDS[kind]


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
