"""A real Ollama with the tiny models, for tests (`RealOllama`) and for people (`python -m agent.real_ollama serve`)."""

from __future__ import annotations

import argparse
import hashlib
import importlib.metadata
import json
import shutil
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from agent.real_ollama import models as models_module
from agent.real_ollama.models import TINY_MODELS, TinyModel, gguf_name, write_gguf
from agent.real_ollama.process import OllamaNotStarted, OllamaProcess
from agent.real_ollama.tools import DEFAULT_VERSION, ollama_binary, only_one_process, tools_dir

OLLAMA_DEFAULT_PORT = 11434


class OllamaNotBuilt(Exception):
    """There is no built Ollama to start."""

    def __init__(self, version: str) -> None:
        super().__init__(f"Ollama {version} is not built here: run `make ollama` (about 8 minutes, once).")


class RealOllama:
    """A running real Ollama with tiny models, on a free loopback port unless one is given. A context manager.

    Each has its own copy of the models, so that one may pull, replace and delete without another noticing.
    Raises OllamaNotBuilt, or OllamaNotStarted with the log's end.
    """

    def __init__(
        self,
        models: Sequence[TinyModel] = TINY_MODELS,
        *,
        port: int = 0,
        version: str = DEFAULT_VERSION,
        environment: dict[str, str] | None = None,
    ) -> None:
        self.models = tuple(models)
        self.version = version
        self.port = port
        self.environment = environment
        self.process: OllamaProcess

    def __enter__(self) -> RealOllama:
        store = prepared_store(self.models, self.version)
        self.folder = Path(tempfile.mkdtemp(prefix="obt-ollama-models-"))
        shutil.copytree(store, self.folder, dirs_exist_ok=True)
        self.process = OllamaProcess(ollama_binary(self.version), self.folder, self.port, self.environment)
        try:
            self.process.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def url(self) -> str:
        """Where it answers, without a slash at the end."""
        return self.process.url

    @property
    def model_names(self) -> list[str]:
        """The models it started with, as /api/tags names them."""
        return [model.name for model in self.models]

    def create(self, model: TinyModel) -> None:
        """Put a model behind its name, replacing another one there (a new seed gives a new digest)."""
        create_model(self.process, model)

    def close(self) -> None:
        """Stop it with its runners and remove what it wrote."""
        self.process.close()
        shutil.rmtree(self.folder, ignore_errors=True)


def create_model(ollama: OllamaProcess, model: TinyModel) -> None:
    """Write the weights, hand them over as a blob, and create the model of it. Raises OSError, OllamaNotStarted."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / gguf_name(model)
        write_gguf(model, path)
        content = path.read_bytes()
    digest = "sha256:" + hashlib.sha256(content).hexdigest()
    ollama.post(f"/api/blobs/{digest}", content)
    request: dict[str, Any] = {"model": model.name, "files": {gguf_name(model): digest}, "stream": False}
    # More threads would only wait for each other, busily: on a loaded machine that is 20 times slower.
    request["parameters"] = {"num_thread": 1}
    answer = json.loads(ollama.post("/api/create", request))
    if answer.get("status") != "success":
        raise OllamaNotStarted(f"Ollama did not create {model.name}: {answer}")


def store_key(models: Sequence[TinyModel], version: str) -> str:
    """What a models folder is made from: the code that writes it, the libraries, the models, the Ollama."""
    code = [Path(file).read_text() for file in (models_module.__file__, __file__)]
    parts = (code, np.__version__, importlib.metadata.version("gguf"), tuple(models), version)
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


def prepared_store(models: Sequence[TinyModel], version: str) -> Path:
    """A models folder of Ollama's with these models in it: made once, then only copied. Raises OllamaNotBuilt."""
    if not ollama_binary(version).is_file():
        raise OllamaNotBuilt(version)
    store = tools_dir() / "ollama" / "models" / store_key(models, version)
    with only_one_process(store.parent / f".{store.name}.lock"):
        if not store.is_dir():
            fill_store(store, models, version)
    return store


def fill_store(store: Path, models: Sequence[TinyModel], version: str) -> None:
    """Let a real Ollama create the models in a folder beside the final one, then move it there."""
    with tempfile.TemporaryDirectory(prefix=".new-", dir=store.parent) as workspace:
        fresh = Path(workspace) / "models"
        ollama = OllamaProcess(ollama_binary(version), fresh)
        try:
            ollama.start()
            for model in models:
                create_model(ollama, model)
        finally:
            ollama.close()
        fresh.rename(store)


def interrupt(_signal: int, _frame: object) -> None:
    """SIGTERM ends `serve` like Ctrl-C."""
    raise KeyboardInterrupt


def serve(port: int, version: str) -> None:
    """Serve until Ctrl-C or SIGTERM, or until Ollama ends."""
    signal.signal(signal.SIGTERM, interrupt)
    with RealOllama(port=port, version=version) as ollama:
        print(f"Ollama {version} answers at {ollama.url} with {', '.join(ollama.model_names)}")
        print(f"Measure it with: OBT_OLLAMA_URL={ollama.url} make up")
        print("Stop with Ctrl-C.", flush=True)
        child = ollama.process.process
        if child is not None:
            child.wait()


def main(arguments: list[str]) -> int:
    """The command line. Returns 0 after Ctrl-C, 1 with a sentence when it cannot start or Ollama ended."""
    parser = argparse.ArgumentParser(prog="python -m agent.real_ollama serve", description=__doc__)
    parser.add_argument("--port", type=int, default=OLLAMA_DEFAULT_PORT, help="0 takes a free one")
    parser.add_argument("--version", default=DEFAULT_VERSION)
    chosen = parser.parse_args(arguments)
    try:
        serve(chosen.port, chosen.version)
    except KeyboardInterrupt:
        print("stopped")
        return 0
    except (OllamaNotBuilt, OllamaNotStarted) as error:
        print(error, file=sys.stderr)
        return 1
    print("Ollama ended by itself.", file=sys.stderr)
    return 1
