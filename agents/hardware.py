"""Hardware configs: a machine's hardware, kept once per content, and said in one line."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from mongoengine.errors import NotUniqueError

from agent.obt_agent import contract, wire
from agents.documents import HardwareConfig

GIB = 1024**3
UNTOLD = ("missing",)  # why something could not be read is no hardware


@dataclass(frozen=True)
class Change:
    """One thing that is not what it was. None: it was not there, or is not any more."""

    what: str
    before: str | None
    after: str | None

    @property
    def words(self) -> str:
        """`GPU name RTX 3090 → RTX 4090`."""
        return f"{self.what} {self.before or 'none'} → {self.after or 'none'}"


def content_hash(hardware: contract.Hardware) -> str:
    """sha256 of the canonical JSON, hex: equal hardware has equal hashes on every machine."""
    canonical = json.dumps(wire.encode(hardware), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def keep(hardware: contract.Hardware) -> HardwareConfig:
    """The stored config with this content, stored now if it is new."""
    identity = content_hash(hardware)
    known = HardwareConfig.objects(id=identity).first()
    if known is None:
        known = HardwareConfig(id=identity, content=wire.encode(hardware))
        try:
            known.save(force_insert=True)
        except NotUniqueError:
            known = HardwareConfig.objects.get(id=identity)
    return known  # type: ignore[no-any-return]


def contents(ids: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Hardware contents by config id, in one query."""
    return {config.id: dict(config.content) for config in HardwareConfig.objects(id__in=list(ids))}


def summary(content: dict[str, Any] | None) -> str | None:
    """One line: the GPUs where there are any, else the CPU and memory. None when nothing is known."""
    if not content:
        return None
    gpus = [gpu["name"] for gpu in content.get("gpus", [])]
    if gpus:
        same = len(set(gpus)) == 1
        return f"{len(gpus)} × {gpus[0]}" if same and len(gpus) > 1 else ", ".join(gpus)
    memory = content.get("memory_total_bytes")
    cpu = content.get("cpu", {}).get("model") or "CPU of unknown model"
    return f"{cpu}, {memory / GIB:.0f} GB" if memory else str(cpu)


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Change]:
    """What differs between two hardware contents, in the order the newer one names it."""
    old, new = _flat(before), _flat(after)
    names = list(dict.fromkeys([*new, *old]))
    return [Change(name, old.get(name), new.get(name)) for name in names if old.get(name) != new.get(name)]


def _flat(content: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """`{"GPU name": …, "OS kernel": …, "memory": "64 GB"}`; what is unknown is left out."""
    found: dict[str, str] = {}
    for key, value in content.items():
        if value is None or key in UNTOLD:
            continue
        name = f"{prefix} {_words(key)}".strip()
        if isinstance(value, Mapping):
            found |= _flat(value, _words(key))
        elif isinstance(value, list):
            many = len(value) > 1
            for i, each in enumerate(value):
                found |= _flat(each, f"GPU {i}" if many else "GPU") if isinstance(each, Mapping) else {name: str(each)}
        elif key != "index":
            found[name] = f"{value / GIB:.0f} GB" if key.endswith("_bytes") else str(value)
    return found


def _words(key: str) -> str:
    return {"cpu": "CPU", "os": "OS", "gpus": "GPU"}.get(key, key.removesuffix("_bytes").replace("_", " "))
