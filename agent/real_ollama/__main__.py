"""`python -m agent.real_ollama build | models | serve`: each is one module with a `main(arguments)`."""

from __future__ import annotations

import importlib
import sys

# Imported only when asked for: `build` must work before gguf and numpy are installed.
COMMANDS = {
    "build": "build Ollama and its own benchmark tool from source (make ollama)",
    "models": "write the tiny random models as GGUF files into a folder",
    "serve": "serve the built Ollama with the tiny models until Ctrl-C",
}


def usage() -> str:
    """The commands, one a line."""
    lines = "\n".join(f"  {name:8}{what}" for name, what in COMMANDS.items())
    return f"usage: python -m agent.real_ollama COMMAND [--help]\n\n{lines}"


def main(arguments: list[str]) -> int:
    """Run one command and return its exit code: 0 done, 1 failed with a sentence, 2 used wrongly."""
    if not arguments or arguments[0] not in COMMANDS:
        asked_for_help = bool(arguments) and arguments[0] in {"-h", "--help", "help"}
        print(usage(), file=sys.stdout if asked_for_help else sys.stderr)
        return 0 if asked_for_help else 2
    try:
        module = importlib.import_module(f"agent.real_ollama.{arguments[0]}")
    except ModuleNotFoundError as missing:
        needs = f"{arguments[0]} needs the Python package {missing.name}"
        print(f"{needs}: run `make test` once, or use .venv/bin/python after it", file=sys.stderr)
        return 1
    return int(module.main(arguments[1:]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
