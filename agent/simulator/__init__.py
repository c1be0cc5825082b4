"""A simulated Ollama: the same HTTP API, honest counters, and errors on demand.

For people without an Ollama at hand and for tests. It announces itself in its version string, and every number from it
says so. Run it with `python -m agent.simulator`, or use it in a program:

    with SimulatedOllama() as ollama:
        requests.get(f"{ollama.url}/api/tags")
"""

from .models import ModelSpec, default_models
from .server import SimulatedOllama
from .world import DEFAULT_VERSION

__all__ = ["DEFAULT_VERSION", "ModelSpec", "SimulatedOllama", "default_models"]
