"""Wire types: the machine, its readings, and its Ollama."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, Optional

from .fields import SENTENCE, SIZE, many, mapping, optional


@dataclass(frozen=True)
class Cpu:
    model: Optional[str] = None
    physical_cores: Optional[int] = optional(min=1, max=100_000)
    logical_cores: Optional[int] = optional(min=1, max=100_000)
    max_frequency_mhz: Optional[float] = optional(min=0)


@dataclass(frozen=True)
class Gpu:
    index: int = field(metadata={"min": 0, "max": 1000})
    name: str
    vendor: Literal["nvidia", "amd", "apple", "intel", "other"]
    memory_total_bytes: Optional[int] = optional(**SIZE)
    driver_version: Optional[str] = None
    power_limit_w: Optional[float] = optional(min=0)


@dataclass(frozen=True)
class OperatingSystem:
    system: Literal["Linux", "Windows", "Darwin", "other"]
    name: Optional[str] = None  # as people say it: "Ubuntu 24.04.1 LTS", "macOS 15.6", "Windows 11"
    kernel: Optional[str] = None
    architecture: Optional[str] = None


@dataclass(frozen=True)
class Hardware:
    """What the machine is made of. Its content hash is the hardware config's identity, so nothing in it may flicker."""

    cpu: Cpu
    os: OperatingSystem
    memory_total_bytes: Optional[int] = optional(**SIZE)
    gpus: list[Gpu] = many(max_items=64)
    missing: dict[str, str] = mapping()


@dataclass(frozen=True)
class GpuReading:
    index: int = field(metadata={"min": 0, "max": 1000})
    utilisation_percent: Optional[float] = optional(min=0, max=100)
    memory_used_bytes: Optional[int] = optional(**SIZE)
    memory_total_bytes: Optional[int] = optional(**SIZE)
    temperature_c: Optional[float] = None
    power_w: Optional[float] = optional(min=0)
    sm_clock_mhz: Optional[float] = optional(min=0)
    throttle_reasons: list[str] = many(max_items=32)


@dataclass(frozen=True)
class HostReading:
    """One reading of the machine. `missing` says why a value is null, by its name (e.g. `gpu_0_power_w`)."""

    cpu_percent: Optional[float] = optional(min=0, max=100)
    memory_used_bytes: Optional[int] = optional(**SIZE)
    memory_total_bytes: Optional[int] = optional(**SIZE)
    swap_used_bytes: Optional[int] = optional(**SIZE)
    disk_free_bytes: Optional[int] = optional(**SIZE)
    gpus: list[GpuReading] = many(max_items=64)
    missing: dict[str, str] = mapping()


# -- its Ollama --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class OllamaState:
    """What the agent last saw of its Ollama. `problem` is set exactly when it is not reachable."""

    url: str
    reachable: bool
    version: Optional[str] = None
    simulated: bool = False
    local: Optional[bool] = None  # None: cannot tell; False: in a container or on another host
    problem: Optional[Literal["refused", "timeout", "not_ollama", "error"]] = None
    message: Optional[str] = optional(**SENTENCE)


@dataclass(frozen=True)
class InstalledModel:
    name: str = field(metadata={"min_length": 1, "max_length": 300})
    digest: str = field(metadata={"min_length": 1, "max_length": 100})
    size_bytes: Optional[int] = optional(**SIZE)
    format: Optional[str] = None
    family: Optional[str] = None
    parameter_size: Optional[str] = None
    quantization: Optional[str] = None
    capabilities: list[str] = many(max_items=32)
    context_length: Optional[int] = optional(**SIZE)
    remote: bool = False  # a cloud model: never measured
    modified_at: Optional[str] = None


@dataclass(frozen=True)
class LoadedModel:
    name: str
    digest: str
    size_bytes: Optional[int] = optional(**SIZE)
    size_vram_bytes: Optional[int] = optional(**SIZE)
    context_length: Optional[int] = optional(**SIZE)
