"""A simulated Ollama: the same HTTP API, honest counters, and errors on demand.

For people without an Ollama at hand and for tests. It announces itself in its version string, and every number from it
says so. Run it with `python -m agent.simulator`, or use it in a program:

    with SimulatedOllama() as ollama:
        requests.get(f"{ollama.url}/api/tags")

It counts as Ollama 0.24 does; `--era` (or `era=era_named("0.33.3")`) has it count as other releases do.
"""

from .eras import ERAS, Era, era_named
from .models import ModelSpec, default_models
from .server import SimulatedOllama
from .world import DEFAULT_VERSION

__all__ = ["DEFAULT_VERSION", "ERAS", "Era", "ModelSpec", "SimulatedOllama", "default_models", "era_named"]
