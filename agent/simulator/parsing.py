"""What a request asks for, read from its JSON as Ollama reads it: missing is the default, a wrong type is a 400."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .errors import OllamaError, bad_request

DEFAULT_NUM_CTX = 4096
DEFAULT_KEEP_ALIVE_S = 300.0
MIN_NUM_CTX = 4
OPTION_ERROR_STATUS = 500
"""Ollama blames itself for an option of a wrong type."""
GO_NAMES: dict[type, str] = {bool: "bool", str: "string", int: "number", float: "number", list: "array", dict: "object"}
DURATION_UNITS_S = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_DURATION = re.compile(r"([+-]?)((?:\d+(?:\.\d*)?(?:h|ms|us|µs|ns|m|s))+|0)")
_DURATION_PART = re.compile(r"(\d+(?:\.\d*)?)(h|ms|us|µs|ns|m|s)")

INTEGER_OPTIONS = frozenset(
    {"num_keep", "seed", "num_predict", "top_k", "repeat_last_n"}
    | {"num_ctx", "num_batch", "num_gpu", "main_gpu", "num_thread"}
)
FLOAT_OPTIONS = frozenset(
    {"top_p", "min_p", "typical_p", "temperature", "repeat_penalty", "presence_penalty", "frequency_penalty"}
)


@dataclass(frozen=True)
class RunnerOptions:
    """The options a model is loaded with; another value of any of them reloads it."""

    num_ctx: int = DEFAULT_NUM_CTX
    num_batch: int = 512
    num_gpu: int = -1
    main_gpu: int = 0
    num_thread: int = 0
    use_mmap: bool | None = None

    def fits(self, wanted: RunnerOptions) -> bool:
        """Whether a model loaded with these serves `wanted`. `num_gpu` -1 there means: as it is."""
        mine = (self.num_ctx, self.num_batch, self.main_gpu, self.num_thread, self.use_mmap)
        other = (wanted.num_ctx, wanted.num_batch, wanted.main_gpu, wanted.num_thread, wanted.use_mmap)
        return mine == other and wanted.num_gpu in (-1, self.num_gpu)


@dataclass(frozen=True)
class Options:
    """The options the simulator honours. `seed` below 0 is none; `num_predict` 0 and below is "until the end"."""

    runner: RunnerOptions
    num_predict: int = -1
    temperature: float = 0.8
    seed: int = -1
    stop: tuple[str, ...] = ()


class Body:
    """A request's JSON object, with typed access to its fields. Every wrong type is a 400 in Go's words."""

    def __init__(self, raw: bytes, go_type: str) -> None:
        self._go_type = go_type
        self.fields = _object(raw, go_type)

    def text(self, *names: str) -> str:
        """The first of these fields that is there and not empty, else ""."""
        for name in names:
            value = self._typed(name, str, "string")
            if value:
                return str(value)
        return ""

    def flag(self, name: str, default: bool) -> bool:
        """A yes-or-no field."""
        value = self._typed(name, bool, "bool")
        return default if value is None else bool(value)

    def items(self, name: str) -> list[Any]:
        """A list; empty when it is missing."""
        return self._typed(name, list, "[]interface {}") or []

    def number(self, name: str) -> int:
        """A whole number; 0 when it is missing."""
        return self._typed(name, int, "int") or 0

    def think(self) -> bool | None:
        """`think`: true, false or a level (a level is true); None when it is not set."""
        value = self.fields.get("think")
        if value in ("high", "medium", "low", "max"):
            return True
        if value is None or isinstance(value, bool):
            return value
        if not isinstance(value, str):
            raise bad_request('think must be a boolean or string ("high", "medium", "low", "max", true, or false)')
        raise bad_request(f'invalid think value: "{value}" (must be "high", "medium", "low", "max", true, or false)')

    def keep_alive_s(self) -> float | None:
        """Seconds to stay loaded after the request; infinite when negative; None when it is not set."""
        value = self.fields.get("keep_alive")
        if value is None:
            return None
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return float(value) if value >= 0 else float("inf")
        if isinstance(value, str):
            return _duration_s(value)
        raise bad_request(f"Unsupported type: '{_go_reflect_name(value)}'")

    def options(self) -> Options:
        """The `options` object; unknown ones are ignored as Ollama does."""
        given: Mapping[str, Any] = self._typed("options", dict, "map[string]interface {}") or {}
        given = {key: _checked_option(key, value) for key, value in given.items() if value is not None}
        runner = {key: given[key] for key in RunnerOptions.__dataclass_fields__ if key in given}
        runner["num_ctx"] = max(runner.get("num_ctx", DEFAULT_NUM_CTX), MIN_NUM_CTX)
        sampling = {key: given[key] for key in ("num_predict", "temperature", "seed") if key in given}
        return Options(RunnerOptions(**runner), stop=tuple(given.get("stop", ())), **sampling)

    def _typed(self, name: str, kind: type, go_name: str) -> Any:
        value = self.fields.get(name)
        if value is None or type(value) is kind:
            return value
        found = GO_NAMES.get(type(value), "value")
        raise bad_request(
            f"json: cannot unmarshal {found} into Go struct field {self._go_type}.{name} of type {go_name}"
        )


def _object(raw: bytes, go_type: str) -> dict[str, Any]:
    if not raw.strip():
        raise bad_request("missing request body")
    try:
        value = json.loads(raw, parse_constant=_no_constant)
    except json.JSONDecodeError as wrong:
        raise bad_request(_go_syntax_error(wrong)) from wrong
    except (UnicodeDecodeError, ValueError, RecursionError) as wrong:
        raise bad_request("invalid character in request body") from wrong
    if value is None:
        return {}
    if not isinstance(value, dict):
        found = GO_NAMES.get(type(value), "value")
        raise bad_request(f"json: cannot unmarshal {found} into Go value of type api.{go_type}")
    return value


def _no_constant(name: str) -> Any:
    raise bad_request(f"invalid character '{name[0]}' looking for beginning of value")


def _go_syntax_error(wrong: json.JSONDecodeError) -> str:
    if wrong.pos >= len(wrong.doc.rstrip()):
        return "unexpected EOF"
    character = wrong.doc[wrong.pos]
    if "property name" in wrong.msg:
        return f"invalid character '{character}' looking for beginning of object key string"
    if "delimiter" in wrong.msg or "Extra data" in wrong.msg:
        return f"invalid character '{character}' after top-level value"
    return f"invalid character '{character}' looking for beginning of value"


def _duration_s(text: str) -> float:
    match = _DURATION.fullmatch(text)
    if match is None:
        raise bad_request(f'time: invalid duration "{text}"')
    seconds = sum(float(number) * DURATION_UNITS_S[unit] for number, unit in _DURATION_PART.findall(match.group(2)))
    return float("inf") if match.group(1) == "-" and seconds else seconds


def _checked_option(key: str, value: Any) -> Any:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if is_number and not math.isfinite(value):
        raise bad_request(f"json: cannot unmarshal number into Go value of type float64: option {key} is out of range")
    if key in INTEGER_OPTIONS:
        if not is_number:
            raise OllamaError(OPTION_ERROR_STATUS, f'option "{key}" must be of type integer')
        return int(value)
    if key in FLOAT_OPTIONS and not is_number:
        raise OllamaError(OPTION_ERROR_STATUS, f'option "{key}" must be of type float32')
    if key == "use_mmap" and not isinstance(value, bool):
        raise OllamaError(OPTION_ERROR_STATUS, f'option "{key}" must be of type boolean')
    if key == "stop":
        _check_stop(value)
    return value


def _check_stop(value: Any) -> None:
    if not isinstance(value, list):
        raise OllamaError(OPTION_ERROR_STATUS, 'option "stop" must be of type array')
    if not all(isinstance(one, str) for one in value):
        raise OllamaError(OPTION_ERROR_STATUS, 'option "stop" must be of an array of strings')


def _go_reflect_name(value: Any) -> str:
    return {bool: "bool", list: "[]interface {}", dict: "map[string]interface {}"}.get(type(value), "unknown")
