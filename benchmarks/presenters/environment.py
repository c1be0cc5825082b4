"""What a result was measured on, and a machine's hardware, as facts: what, its value, and why there is none."""

from collections.abc import Iterable, Mapping
from typing import Any

from agent.obt_agent import contract
from agents import hardware
from benchmarks.documents import Result

Fact = tuple[str, str | None, str]
WHOLLY_PERCENT = 99.5


def facts(
    result: Result,
    specs: Iterable[contract.CellSpec],
    environment: contract.RunEnvironment | None,
    content: Mapping[str, Any] | None,
) -> list[Fact]:
    """What it was measured on: (what, value or None, why there is none)."""
    placed = (result.placement or {}).get("gpu_share")
    contexts = sorted({spec.num_ctx for spec in specs})
    found: list[Fact] = [
        ("Model", result.model, ""),
        ("Digest", result.digest, "not recorded"),
        ("Ollama", result.ollama_version, "it could not be asked"),
        ("Context", ", ".join(map(str, contexts)) or None, "no cell was run"),
        ("Placement", placement_words(placed), "Ollama did not list the loaded model"),
    ]
    if environment is not None:
        server, options = environment.server, environment.options
        parallel = None if server.num_parallel is None else str(server.num_parallel)
        unseen = "unknown"  # the runner's command line did not show it
        found += [
            ("Parallel", parallel, unseen),
            ("Flash attention", server.flash_attention, unseen),
            ("KV cache", server.kv_cache_type, unseen),
            ("Sampling", f"temperature {options.temperature:g}, seed {options.seed}", ""),
        ]
    found += hardware_facts(content)
    if environment is not None:
        found.append(("Agent", environment.agent_version, "not recorded"))
    return found


def placement_words(gpu_share: float | None) -> str | None:
    """`100 % GPU`, `47 % GPU, the rest on the CPU`, `CPU`."""
    if gpu_share is None:
        return None
    if gpu_share <= 0:
        return "CPU"
    return "100 % GPU" if gpu_share >= WHOLLY_PERCENT else f"{gpu_share:.0f} % GPU, the rest on the CPU"


def hardware_facts(content: Mapping[str, Any] | None) -> list[Fact]:
    """A machine's hardware as facts; what the agent could not read says why."""
    if not content:
        return [("Hardware", None, "the agent has not sent it")]
    missing = content.get("missing") or {}
    found: list[Fact] = []
    for gpu in content.get("gpus") or []:
        size = gpu.get("memory_total_bytes")
        memory = f", {size / hardware.GIB:.0f} GB" if size else ""
        found.append(("GPU", f"{gpu['name']}{memory}", ""))
        if gpu.get("driver_version"):
            found.append(("Driver", gpu["driver_version"], ""))
    if not content.get("gpus"):
        found.append(("GPU", None, missing.get("gpus") or "none was found"))
    cpu, system = content.get("cpu") or {}, content.get("os") or {}
    cores = cpu.get("physical_cores") or cpu.get("logical_cores")
    model = cpu.get("model")
    found.append(
        ("CPU", f"{model}, {cores} cores" if model and cores else model, missing.get("cpu_model", "not readable"))
    )
    total = content.get("memory_total_bytes")
    found.append(("Memory", f"{total / hardware.GIB:.0f} GB" if total else None, missing.get("memory", "not readable")))
    kernel = ", ".join(part for part in (system.get("name"), system.get("kernel"), system.get("architecture")) if part)
    found.append(("System", kernel or system.get("system"), "not readable"))
    return found
