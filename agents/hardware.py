"""Hardware configs: a machine's hardware, kept once per content, and said in one line."""

import hashlib
import json
from typing import Any

from mongoengine.errors import NotUniqueError

from agent.obt_agent import contract, wire
from agents.documents import HardwareConfig

GIB = 1024**3


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
