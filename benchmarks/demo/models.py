"""Three hundred models under names as people pull them, and which machine has which."""

import hashlib
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from agent.obt_agent.contract import InstalledModel
from benchmarks.demo.machines import GIB, Machine

# bits per weight, embeddings and scales included
BITS = {"Q4_K_M": 4.85, "Q8_0": 8.5, "F16": 16.0, "Q5_K_M": 5.7, "Q6_K": 6.6, "Q4_0": 4.6, "Q3_K_M": 3.95, "MXFP4": 4.3}
ORDER = ("Q4_K_M", "Q8_0", "F16", "Q6_K", "Q5_K_M", "Q4_0", "Q3_K_M")
LARGEST_F16_B, LARGEST_Q8_B = 15, 75
RENEWED_SHARE = 0.15  # of the names that were published again, so that machines have different digests of them

TEXT, TOOLS, VISION, THINKS, EMBEDS = (
    ("completion",),
    ("completion", "tools"),
    ("completion", "vision"),
    ("completion", "tools", "thinking"),
    ("embedding",),
)

# name, family, capabilities, context, sizes in billions of parameters ("30-3": 3 of them active)
PUBLISHED: tuple[tuple[str, str, tuple[str, ...], int, str], ...] = (
    ("llama3.2", "llama", TOOLS, 131072, "1.24 3.21"),
    ("qwen3", "qwen3", THINKS, 40960, "0.6 1.7 4.02 8.19 14.8 32.8"),
    ("gemma3", "gemma3", VISION, 131072, "1 4.3 12.2 27.4"),
    ("gpt-oss", "gptoss", THINKS, 131072, "20.9-3.6 116.8-5.1"),
    ("mistral-small3.2", "mistral3", ("completion", "vision", "tools"), 131072, "24"),
    ("nomic-embed-text", "nomic-bert", EMBEDS, 2048, "0.137"),
    ("qwen3-coder", "qwen3moe", TOOLS, 262144, "30.5-3.3"),
    ("deepseek-r1", "qwen2", THINKS, 131072, "1.78 7.62 8.19 14.8 32.8 70.6"),
    ("llama3.1", "llama", TOOLS, 131072, "8.03 70.6"),
    ("phi4", "phi3", TEXT, 16384, "14.7"),
    ("phi4-mini", "phi3", TOOLS, 131072, "3.84"),
    ("mxbai-embed-large", "bert", EMBEDS, 512, "0.334"),
    ("bge-m3", "bert", EMBEDS, 8192, "0.567"),
    ("granite3.3", "granite", TOOLS, 131072, "2.53 8.17"),
    ("qwen2.5-coder", "qwen2", TOOLS, 32768, "0.49 1.54 3.09 7.62 14.8 32.8"),
    ("mistral", "llama", TOOLS, 32768, "7.25"),
    ("mistral-nemo", "llama", TOOLS, 131072, "12.2"),
    ("llava", "llama", VISION, 32768, "7.24 13.4"),
    ("llama3.2-vision", "mllama", VISION, 131072, "9.78"),
    ("qwen2.5vl", "qwen25vl", VISION, 125000, "3.75 8.29 33.5"),
    ("gemma3n", "gemma3n", TEXT, 32768, "5.44 6.87"),
    ("smollm2", "llama", TOOLS, 8192, "0.135 0.362 1.71"),
    ("tinyllama", "llama", TEXT, 2048, "1.1"),
    ("codellama", "llama", TEXT, 16384, "6.74 13 33.7"),
    ("llama3.3", "llama", TOOLS, 131072, "70.6"),
    ("qwq", "qwen2", THINKS, 131072, "32.8"),
    ("command-r", "command-r", TOOLS, 131072, "32.3"),
    ("mixtral", "llama", TOOLS, 32768, "46.7-12.9 140.6-39"),
    ("magistral", "llama", THINKS, 40960, "23.6"),
    ("devstral", "llama", TOOLS, 131072, "23.6"),
    ("cogito", "llama", TOOLS, 131072, "3.61 8.03 14.8 32.8 70.6"),
    ("olmo2", "olmo2", TEXT, 4096, "7.3 13.7"),
    ("falcon3", "llama", TEXT, 32768, "1.67 3.23 7.46 10.3"),
    ("exaone-deep", "exaone", TEXT, 32768, "2.41 7.82 32"),
    ("granite-embedding", "bert", EMBEDS, 512, "0.03 0.278"),
    ("snowflake-arctic-embed2", "bert", EMBEDS, 8192, "0.567"),
    ("qwen3-embedding", "qwen3", EMBEDS, 32768, "0.6 4.02 7.57"),
    ("moondream", "phi2", VISION, 2048, "1.42"),
    ("minicpm-v", "qwen2", VISION, 32768, "7.61"),
    ("deepseek-coder-v2", "deepseek2", TEXT, 163840, "15.7-2.4"),
    ("starcoder2", "starcoder2", TEXT, 16384, "3.03 7.17 16"),
    ("yi", "llama", TEXT, 4096, "6.06 8.83 34.4"),
    ("solar", "llama", TEXT, 4096, "10.7"),
    ("hermes3", "llama", TOOLS, 131072, "3.21 8.03 70.6"),
    ("dolphin3", "llama", TEXT, 131072, "8.03"),
    ("openthinker", "qwen2", TEXT, 32768, "7.62 32.8"),
)


@dataclass(frozen=True)
class Model:
    """One published model. `active_b`: billions of parameters that a token goes through."""

    name: str
    family: str
    capabilities: tuple[str, ...]
    context_length: int
    parameters_b: float
    active_b: float
    quantization: str
    renewed: bool

    @property
    def bits(self) -> float:
        return BITS[self.quantization]

    @property
    def size_bytes(self) -> int:
        return round(self.parameters_b * 1e9 * self.bits / 8) + 40_000_000

    @property
    def active_bytes(self) -> float:
        return self.active_b * 1e9 * self.bits / 8

    @property
    def embeds(self) -> bool:
        return "embedding" in self.capabilities

    def installed(self, newest: bool, modified_at: str) -> InstalledModel:
        """As a machine lists it that pulled it before (`newest` False) or after it was published again."""
        revision = 2 if self.renewed and newest else 1
        return InstalledModel(
            name=self.name,
            digest=hashlib.sha256(f"demo:{self.name}:{revision}".encode()).hexdigest(),
            size_bytes=self.size_bytes,
            format="gguf",
            family=self.family,
            parameter_size=_parameter_size(self.parameters_b),
            quantization=self.quantization,
            capabilities=list(self.capabilities),
            context_length=self.context_length,
            modified_at=modified_at,
        )


def _parameter_size(billions: float) -> str:
    return f"{billions:.3g}B" if billions >= 1 else f"{billions * 1000:.0f}M"


def published(count: int) -> list[Model]:
    """So many models: what is pulled by default, then other quantisations of it, then others' copies."""
    sizes = [(entry, size) for entry in PUBLISHED for size in entry[4].split()]
    found: list[Model] = []
    community = 0
    while len(found) < count:
        for quantization in ORDER:
            found += [_model(*one, quantization, community) for one in sizes if _offered(one[1], one[0], quantization)]
        community += 1
    return found[:count]


def _offered(size: str, entry: tuple[str, str, tuple[str, ...], int, str], quantization: str) -> bool:
    billions = float(size.partition("-")[0])
    if entry[0] == "gpt-oss":
        return quantization == ORDER[0]  # it comes in one only
    if entry[2] == EMBEDS:
        return quantization in ("Q4_K_M", "Q8_0", "F16")
    return billions <= {"F16": LARGEST_F16_B, "Q8_0": LARGEST_Q8_B}.get(quantization, 1000)


def _model(entry: tuple[str, str, tuple[str, ...], int, str], size: str, quantization: str, community: int) -> Model:
    name, family, capabilities, context, _ = entry
    whole, _, active = size.partition("-")
    billions = float(whole)
    tag = f"{int(billions)}b" if billions >= 1 else f"{billions * 1000:.0f}m"
    owner = f"bench{community}/" if community else ""
    suffix = "" if quantization == ORDER[0] else f"-instruct-{quantization.lower()}"
    kept = {"gpt-oss": "MXFP4"}.get(name, "F16" if capabilities == EMBEDS and not suffix else quantization)
    full = f"{owner}{name}:{tag}{suffix}"
    renewed = hashlib.sha256(full.encode()).digest()[0] < 256 * RENEWED_SHARE
    return Model(full, family, capabilities, context, billions, float(active or whole), kept, renewed)


def installations(
    machines: Sequence[Machine], models: Sequence[Model], chance: random.Random
) -> Mapping[str, list[tuple[Model, bool]]]:
    """By machine's name, its models and whether it has the newest of each. Every model is somewhere."""
    found: dict[str, list[tuple[Model, bool]]] = {machine.name: [] for machine in machines}
    for place, model in enumerate(models):
        having = [one for one in machines if fits(one, model) and chance.random() < share(one, place)]
        roomy = max(machines, key=lambda one: one.room)
        for machine in having or [roomy]:
            found[machine.name].append((model, chance.random() < 0.6))
    return found


def share(machine: Machine, place: int) -> float:
    """What is published first is on most machines."""
    return min(1.0, machine.has_share * (2.2 if place < 25 else 1.0))


def fits(machine: Machine, model: Model) -> bool:
    """Whether somebody would put it there: in main memory at least, and not hopelessly slow."""
    memory = machine.gear.memory_total_bytes or 0
    return model.size_bytes < 0.7 * memory and model.size_bytes < 1.9 * machine.room + GIB
