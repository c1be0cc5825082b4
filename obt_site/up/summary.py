"""The one block that `up` prints when everything runs."""

from __future__ import annotations

from dataclasses import dataclass

from obt_site.env import Environment
from obt_site.up.prepare import LocalClient

LABEL_WIDTH = 10


@dataclass(frozen=True)
class Summary:
    """What was started and found. `ollama_problem` is set when the simulator stands in; no `client` means no report."""

    environment: Environment
    database: str
    setup_link: str | None
    with_agent: bool
    ollama_problem: str | None
    client: LocalClient | None

    def text(self) -> str:
        """The block, without a line break at the end."""
        rows = [("Set up", self._setup()), ("Data", [f"{self.environment.data_dir} ({self.database})"])]
        rows += [("Ollama", self._ollama()), ("GPUs", self._gpus())] if self.with_agent else [("Agent", _WITHOUT_AGENT)]
        rows += [("Logs", [str(self.environment.data_dir / "logs")]), ("Stop", ["Ctrl-C"])]
        lines = [line for label, texts in rows for line in _row(label, texts)]
        return "\n".join(["", f"OBT runs at {self.environment.local_url}", "", *lines, ""])

    def _setup(self) -> list[str]:
        if self.setup_link is None:
            return []
        return [self.setup_link, "Open it to choose your name and password; it works once."]

    def _ollama(self) -> list[str]:
        if self.ollama_problem is None:
            return [f"{self._version()} at {self.environment.ollama_url}, {self._models()}"]
        return [
            f"{self.ollama_problem}, so a simulator stands in ({self._models()}).",
            "Every number from it is marked simulated. To measure a real Ollama, start it (ollama serve)",
            "or name another with OBT_OLLAMA_URL, then stop this with Ctrl-C and start again.",
        ]

    def _version(self) -> str:
        return (self.client and self.client.ollama_version) or "version not reported yet"

    def _models(self) -> str:
        count = self.client.models if self.client else None
        if count is None:
            return "models not reported yet"
        return (
            "1 model" if count == 1 else f"{count} models" if count else "no models: get one with ollama pull llama3.2"
        )

    def _gpus(self) -> list[str]:
        if self.client is None:
            return ["not reported yet"]
        return self.client.gpus or ["none found"]


_WITHOUT_AGENT = ["left out (--no-agent); enrol machines on the fleet page"]


def _row(label: str, texts: list[str]) -> list[str]:
    return [f"  {label if not number else '':{LABEL_WIDTH}}{text}" for number, text in enumerate(texts)]
