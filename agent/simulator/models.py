"""The models a simulated Ollama has, and the list of those installed."""

from __future__ import annotations

import hashlib
import re
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

from .errors import bad_request, model_not_found

LIBRARY_PREFIX = "registry.ollama.ai/library/"
_NAME = re.compile(r"[\w.:/-]+")
BYTES_PER_GB = 1_000_000_000


@dataclass(frozen=True)
class ModelSpec:
    """One model: what Ollama tells about it, and how fast the simulator pretends it is.

    `decode_tps` and `prefill_tps` are tokens per second of one undisturbed request, `load_s` the seconds of a load,
    `depth_cost_per_1k` the share by which decoding slows per 1,000 tokens of prompt, `gpu_fraction` the share of the
    model in GPU memory (0 to 1), `end_probability` the chance per token that the model stops by itself.
    """

    name: str
    family: str = "llama"
    parameter_count: int = 1_000_000_000
    quantization: str = "Q4_K_M"
    size_bytes: int = BYTES_PER_GB
    decode_tps: float = 300.0
    prefill_tps: float = 6000.0
    load_s: float = 0.5
    context_length: int = 8192
    embedding_length: int = 2048
    block_count: int = 16
    capabilities: tuple[str, ...] = ("completion",)
    gpu_fraction: float = 1.0
    end_probability: float = 0.0
    sign_every: int = 0
    depth_cost_per_1k: float = 0.02
    digest: str = ""
    remote_host: str = ""
    remote_model: str = ""
    modified_ns: int = field(default_factory=time.time_ns)

    def __post_init__(self) -> None:
        object.__setattr__(self, "capabilities", tuple(self.capabilities))
        object.__setattr__(self, "name", canonical_name(self.name))
        if not self.digest:
            object.__setattr__(self, "digest", digest_of(self.name))
        if min(self.decode_tps, self.prefill_tps) <= 0 or self.load_s < 0:
            raise ValueError(f"model {self.name}: speeds must be above 0 and load_s not below 0")

    @property
    def can_think(self) -> bool:
        """Whether `think` means anything to it."""
        return "thinking" in self.capabilities

    @property
    def parameter_size(self) -> str:
        """The parameter count as Ollama prints it: "1.2B", "137M"."""
        if self.parameter_count >= BYTES_PER_GB:
            return f"{self.parameter_count / 1e9:.1f}B"
        return f"{self.parameter_count / 1e6:.0f}M"


def digest_of(text: str) -> str:
    """64 hexadecimal digits that look like a manifest's SHA-256."""
    return hashlib.sha256(text.encode()).hexdigest()


def canonical_name(name: str) -> str:
    """`name` with its tag and without the default registry: "x" is "x:latest"."""
    short = name[len(LIBRARY_PREFIX) :] if name.startswith(LIBRARY_PREFIX) else name
    return short if ":" in short.rsplit("/", 1)[-1] else f"{short}:latest"


def spec_from_json(value: object) -> ModelSpec:
    """A model from a JSON object whose keys are the fields of `ModelSpec`. Raise `ValueError` with the reason."""
    if not isinstance(value, Mapping):
        raise ValueError("a model must be a JSON object")
    known = {one.name for one in fields(ModelSpec)}
    unknown = sorted(set(value) - known)
    if unknown:
        raise ValueError(f"unknown model field: {', '.join(map(str, unknown))}")
    if not isinstance(value.get("name"), str) or not value["name"]:
        raise ValueError("a model needs a name")
    try:
        return ModelSpec(**value)
    except TypeError as wrong:
        raise ValueError(f"model {value['name']}: {wrong}") from wrong


def default_models() -> list[ModelSpec]:
    """Small, middle and large, one that thinks, one that stops early, one half on the CPU, one that embeds."""
    return [
        ModelSpec("sim-llama3.2:1b", "llama", 1_235_814_432, "Q8_0", 1_321_098_329, 420.0, 9000.0, 0.3, 131_072),
        ModelSpec(
            "sim-qwen3:4b", "qwen3", 4_022_468_096, "Q4_K_M", 2_497_293_931, 260.0, 6000.0, 0.5, 40_960, 2560, 36,
            capabilities=("completion", "tools", "thinking"), sign_every=20,
        ),
        ModelSpec(
            "sim-llama3.1:8b", "llama", 8_030_261_312, "Q4_K_M", 4_920_753_328, 190.0, 4500.0, 0.7, 131_072, 4096, 32
        ),
        ModelSpec(
            "sim-gemma3:12b", "gemma3", 12_187_079_280, "Q4_K_M", 8_149_190_253, 150.0, 3500.0, 1.0, 131_072, 3840, 48,
            gpu_fraction=0.8,
        ),
        ModelSpec(
            "sim-stops-early:1b", "llama", 1_100_048_384, "Q4_0", 637_700_138, 600.0, 12_000.0, 0.3,
            end_probability=0.02,
        ),
        ModelSpec(
            "sim-nomic-embed-text:latest", "nomic-bert", 136_731_648, "F16", 274_302_450, 500.0, 20_000.0, 0.3,
            2048, 768, 12, capabilities=("embedding",),
        ),
    ]  # fmt: skip


def pullable_models() -> list[ModelSpec]:
    """What `/api/pull` finds in its registry besides the models that were deleted."""
    return [ModelSpec("sim-smollm2:135m", "llama", 134_515_008, "F16", 270_898_672, 600.0, 15_000.0, 0.3)]


class ModelStore:
    """The installed models, and those that could be pulled. Safe to use from several threads."""

    def __init__(self, installed: Iterable[ModelSpec], pullable: Iterable[ModelSpec] = ()) -> None:
        self._lock = threading.Lock()
        self._installed = {spec.name.lower(): spec for spec in installed}
        self._pullable = {spec.name.lower(): spec for spec in pullable}

    def all(self) -> list[ModelSpec]:
        """Newest first, as `/api/tags` lists them."""
        with self._lock:
            return sorted(self._installed.values(), key=lambda spec: -spec.modified_ns)

    def find(self, name: str) -> ModelSpec:
        """The installed model of that name; case does not matter. Raise 404 for an unknown one, 400 for nonsense."""
        if name and not _NAME.fullmatch(name):
            raise bad_request("invalid model name")
        with self._lock:
            spec = self._installed.get(canonical_name(name).lower())
        if spec is None:
            raise model_not_found(name)
        return spec

    def add(self, spec: ModelSpec) -> None:
        """Install a model, over the one of the same name if there is one."""
        with self._lock:
            self._installed[spec.name.lower()] = spec

    def remove(self, name: str) -> None:
        """Delete a model; it can be pulled again. Raise 404 for an unknown one."""
        spec = self.find(name)
        with self._lock:
            self._installed.pop(spec.name.lower(), None)
            self._pullable[spec.name.lower()] = spec

    def copy(self, source: str, destination: str) -> None:
        """Give the model `source` a second name; both have one digest."""
        self.add(replace(self.find(source), name=destination, modified_ns=time.time_ns()))

    def change(self, name: str, **changes: Any) -> ModelSpec:
        """Change fields of an installed model. Without a digest among them the model gets a new one."""
        spec = self.find(name)
        changes.setdefault("digest", digest_of(f"{spec.digest} changed"))
        changed = replace(spec, modified_ns=time.time_ns(), **changes)
        self.add(changed)
        return changed

    def pull(self, name: str) -> ModelSpec | None:
        """The model a pull of `name` would install; None when the registry has none of that name."""
        key = canonical_name(name).lower()
        with self._lock:
            return self._installed.get(key) or self._pullable.get(key)
