"""What a result was measured on, and a machine's hardware, as facts: what, its value, and why there is none."""

from collections.abc import Iterable, Mapping
from typing import Any

from agent.obt_agent import contract
from benchmarks.documents import Result
from obt_site.formatting import capacity

Fact = tuple[str, str | None, str]
WHOLLY_PERCENT = 99.5
POWER_WORDS = {"mains": "mains", "battery": "battery"}
ENGINE_WORDS = {
    "cpp-server": "llama.cpp server (up to 0.3)",
    "go-runner": "Go runner (0.4 to 0.24)",
    "llama-server": "llama-server (from 0.30)",
    "mlx": "MLX runner",
}


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
        ("Engine", _engine(result, environment), "it follows from Ollama's version, which is unknown"),
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
            *_circumstances(result, environment),
        ]
    found += hardware_facts(content)
    if environment is not None:
        found.append(("Agent", environment.agent_version, "not recorded"))
    return found


def _engine(result: Result, environment: contract.RunEnvironment | None) -> str | None:
    known = environment.engine if environment else None
    return ENGINE_WORDS.get(known or (result.conditions or {}).get("engine", ""), known)


def _circumstances(result: Result, environment: contract.RunEnvironment) -> list[Fact]:
    """What may differ from one run to the next on the same machine."""
    missing = environment.missing
    suite = " ".join(filter(None, (environment.suite or result.suite, environment.suite_version)))
    return [
        ("Suite", suite or None, missing.get("suite", "not recorded")),
        ("Power", POWER_WORDS.get(environment.power_source or ""), missing.get("power_source", "not recorded")),
        ("CPU governor", environment.cpu_governor, missing.get("cpu_governor", "not recorded")),
    ]


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
        memory = f", {capacity(size)}" if size else ""
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
    found.append(("Memory", capacity(total) if total else None, missing.get("memory", "not readable")))
    kernel = ", ".join(part for part in (system.get("name"), system.get("kernel"), system.get("architecture")) if part)
    found.append(("System", kernel or system.get("system"), "not readable"))
    return found
