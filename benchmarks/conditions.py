"""Under which conditions a number was measured: the comparison key, and what differs between two results, in words.

A condition is a name and its value as text. What is unknown is left out of the key, never guessed; known on one side
only, it is a difference. Conditions of the whole result are kept in `Result.conditions`, those of a cell (context,
lengths, placement) in the cell's `conditions`; each level has its `comparison_key`, and equal keys mean that
everything on record that affects speed is equal. Pure but for `add_keys`, a step of `obt_site/schema.py`.

Not among them, as they do not change Ollama's speed: names, the agent's version, the seed's effect on the text.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pymongo.database import Database

from agent.obt_agent import engines

SCHEMA = 3  # of results, from which on they carry conditions and keys with the suite's version
FIRST_SUITE_VERSION = "1"  # of what was measured before versions were recorded

# name → (group, words). The order is the order in which differences are told. A group is what one comparison can be
# about; those in FIXED can be the subject of none: they make it another measurement.
WORDS: dict[str, tuple[str, str]] = {
    "simulated": ("source", "Answered by"),
    "suite_version": ("measurement", "Suite version"),
    "kind": ("measurement", "Kind of cell"),
    "prompt_tokens": ("measurement", "Prompt tokens"),
    "output_tokens": ("measurement", "Output tokens"),
    "depth": ("measurement", "Depth"),
    "concurrency": ("measurement", "Concurrency"),
    "batch": ("measurement", "Batch"),
    "prompt_sha256": ("measurement", "Fixed prompt (SHA-256)"),
    "limits": ("measurement", "Limits of goodput"),
    "num_ctx": ("context", "Context length"),
    "digest": ("model", "Model digest"),
    "quantization": ("model", "Quantisation"),
    "format": ("model", "Model format"),
    "ollama_version": ("ollama", "Ollama version"),
    "engine": ("ollama", "Engine"),
    "local": ("ollama", "Ollama runs"),
    "gpus": ("machine", "GPU"),
    "gpu_power_limit": ("machine", "GPU power limit"),
    "driver": ("machine", "GPU driver"),
    "cpu": ("machine", "CPU"),
    "cpu_cores": ("machine", "CPU cores"),
    "cpu_governor": ("machine", "CPU governor"),
    "power_source": ("machine", "Power source"),
    "memory": ("machine", "Memory"),
    "os": ("machine", "Operating system"),
    "kernel": ("machine", "Kernel"),
    "architecture": ("machine", "Architecture"),
    "placement": ("placement", "Placement"),
}
FIXED = frozenset({"source", "measurement"})
GROUPS = ("machine", "model", "ollama", "settings", "options", "context", "placement")  # what can be compared
MOVES_PLACEMENT = frozenset({"machine", "model", "options", "context"})  # its consequence, so no obstacle
SPEC_CONDITIONS = ("kind", "prompt_tokens", "output_tokens", "depth", "concurrency", "batch", "num_ctx")
SPEC_OPTIONS = ("num_gpu", "num_thread", "num_batch")  # they go before the job's own
OPTION, SERVER = "option_", "server_"
UNKNOWN = "unknown"
GIB = 1024**3

Conditions = Mapping[str, str]


@dataclass(frozen=True)
class Difference:
    """One condition in which two results differ, with both values."""

    name: str
    group: str
    base: str
    other: str

    @property
    def sentence(self) -> str:
        """`Context length: 4096 against 8192.`"""
        return f"{words(self.name)[1]}: {self.base} against {self.other}."


def words(name: str) -> tuple[str, str]:
    """A condition's group, and what it is called."""
    if name.startswith(OPTION):
        return "options", f"Option {name.removeprefix(OPTION)}"
    if name.startswith(SERVER):
        return "settings", f"Server setting {name.removeprefix(SERVER)}"
    return WORDS[name]


def of_result(result: Mapping[str, Any], hardware: Mapping[str, Any] | None) -> dict[str, str]:
    """The conditions of a stored result (as the plain document) on this hardware (`Hardware` as a dict)."""
    environment = result.get("environment") or {}
    model, ollama = environment.get("model") or {}, environment.get("ollama") or {}
    version = result.get("ollama_version")
    engine = environment.get("engine") or (engines.engine_of(version, model.get("format")).value if version else None)
    local = ollama.get("local")
    return _known(
        {
            "simulated": "the simulator" if result.get("simulated") else "Ollama",
            "suite_version": _suite_version(result),
            "digest": result.get("digest"),
            "quantization": result.get("quantization"),
            "format": model.get("format"),
            "ollama_version": version,
            "engine": engine,
            "local": None if local is None else "on this machine" if local else "elsewhere",
            "placement": _placement((result.get("placement") or {}).get("gpu_share")),
            **{OPTION + name: value for name, value in (environment.get("options") or {}).items()},
            **{SERVER + name: value for name, value in (environment.get("server") or {}).items()},
            **_machine(hardware or {}, environment),
        }
    )


def of_cell(spec: Mapping[str, Any], cell: Mapping[str, Any]) -> dict[str, str]:
    """What a cell adds: its `CellSpec` as a dict, and where the model was while it ran, by its stored summary."""
    share = ((cell.get("metrics") or {}).get("gpu_share") or {}).get("median")
    text = spec.get("text")
    return _known(
        {
            **{name: spec.get(name) for name in SPEC_CONDITIONS},
            **{OPTION + name: spec.get(name) for name in SPEC_OPTIONS},
            "prompt_sha256": None if text is None else hashlib.sha256(text.encode()).hexdigest(),
            "placement": _placement(share),
        }
    )


def key(conditions: Conditions) -> str:
    """The comparison key: sha256, hex, over the known conditions."""
    canonical = json.dumps(dict(conditions), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def differences(base: Conditions, other: Conditions) -> list[Difference]:
    """What differs, in the order of WORDS, options and settings last; what one side does not know is "unknown"."""
    names = sorted({*base, *other}, key=_order)
    pairs = ((name, base.get(name, UNKNOWN), other.get(name, UNKNOWN)) for name in names)
    return [Difference(name, words(name)[0], one, two) for name, one, two in pairs if one != two]


def allowed(difference: Difference, subject: Iterable[str]) -> bool:
    """Whether a comparison about these GROUPS may have this difference: its subject, or the subject's consequence."""
    asked = frozenset(subject) - FIXED
    return difference.group in asked or (difference.group == "placement" and bool(asked & MOVES_PLACEMENT))


def stamp(result: Mapping[str, Any], hardware: Mapping[str, Any] | None, specs: Mapping[str, Any]) -> dict[str, Any]:
    """The fields a stored result gets: `conditions`, `comparison_key`, and `cells` with theirs.

    `specs`: the `CellSpec`s as dicts by cell name. A cell that was not run has neither.
    """
    whole = of_result(result, hardware)
    cells = []
    for cell in result.get("cells") or []:
        spec = specs.get(cell["cell"])
        own = of_cell(spec, cell) if spec and not cell.get("skipped") else None
        cells.append({**cell, "conditions": own, "comparison_key": None if own is None else key({**whole, **own})})
    return {"conditions": whole, "comparison_key": key(whole), "cells": cells}


def add_keys(database: Database[dict[str, Any]]) -> None:
    """Give every result of before SCHEMA its conditions and keys, one by one: can be run again after a crash.

    One without the version of its suite was asked for before there was a second.
    """
    database["sessions"].update_many({"suite_version": None}, {"$set": {"suite_version": FIRST_SUITE_VERSION}})
    old = [found["_id"] for found in database["results"].find({"schema": {"$lt": SCHEMA}}, {"_id": 1})]
    for identity in old:
        result = database["results"].find_one({"_id": identity})
        if result is None:
            continue
        config = database["hardware_configs"].find_one({"_id": result.get("hardware_config")})
        blocks = database["sample_blocks"].find({"result": identity}, {"cell": 1, "spec": 1})
        result["suite_version"] = result.get("suite_version") or FIRST_SUITE_VERSION
        fields = stamp(result, (config or {}).get("content"), {block["cell"]: block["spec"] for block in blocks})
        fields["suite_version"] = result["suite_version"]
        database["results"].update_one({"_id": identity}, {"$set": {**fields, "schema": SCHEMA}})


def _machine(hardware: Mapping[str, Any], environment: Mapping[str, Any]) -> dict[str, Any]:
    gpus = hardware.get("gpus") or []
    cpu, system = hardware.get("cpu") or {}, hardware.get("os") or {}
    physical, logical = cpu.get("physical_cores"), cpu.get("logical_cores")
    memory = hardware.get("memory_total_bytes")
    limits = [gpu.get("power_limit_w") for gpu in gpus]
    return {
        # hardware that was read and has no GPU is a fact, unless the agent says that it could not look
        "gpus": ", ".join(gpu["name"] for gpu in gpus) or ("none" if hardware else None),
        "gpu_power_limit": ", ".join(f"{limit:g} W" for limit in limits if limit is not None),
        "driver": ", ".join(dict.fromkeys(gpu["driver_version"] for gpu in gpus if gpu.get("driver_version"))),
        "cpu": cpu.get("model"),
        "cpu_cores": f"{physical or UNKNOWN} physical, {logical or UNKNOWN} logical" if physical or logical else None,
        "cpu_governor": environment.get("cpu_governor") or cpu.get("governor"),
        "power_source": environment.get("power_source"),
        "memory": f"{memory / GIB:.2f} GB" if memory else None,
        "os": system.get("name") or system.get("system"),
        "kernel": system.get("kernel"),
        "architecture": system.get("architecture"),
    }


def _suite_version(result: Mapping[str, Any]) -> str | None:
    """`standard 1`: versions count for their suite."""
    version = result.get("suite_version")
    return None if version is None else f"{result.get('suite') or UNKNOWN} {version}"


def _placement(gpu_share: float | None) -> str | None:
    """Whole percent, so that a few bytes more do not make another condition."""
    return None if gpu_share is None else f"{gpu_share:.0f} % on the GPU"


def _known(values: Mapping[str, Any]) -> dict[str, str]:
    """The known ones as text; a number is the same however it was stored (1 and 1.0)."""
    return {
        name: f"{value:.12g}" if isinstance(value, int | float) and not isinstance(value, bool) else str(value)
        for name, value in values.items()
        if value is not None and value != ""
    }


def _order(name: str) -> tuple[int, str]:
    known = list(WORDS)
    return (known.index(name) if name in WORDS else len(known), name)
