"""The client of one Ollama. Nothing it answers is trusted: sizes, types and numbers are checked, memory is bounded.

Every call raises `OllamaError` (kinds in `ollama_errors.py`) with a sentence for people, except `generate`, which
returns what arrived together with its error. The proxies of the environment are never used: Ollama is on this machine.
Sizes are in bytes, times in seconds.
"""

from __future__ import annotations

import time
from typing import Any, Callable, Optional
from urllib.parse import urlsplit

import requests

from .cancel import Cancel
from .contract import InstalledModel, LoadedModel
from .ollama_embed import EmbedCall
from .ollama_errors import OllamaError, refusal
from .stream import CONNECT_TIMEOUT_S, Generation, Stream, StreamLimits, unreachable
from .wire import MAX_INT, WireError, dumps, loads

READ_TIMEOUT_S = 10.0
# A whole answer, however slowly it drips.
ANSWER_TIMEOUT_S = 30.0
MAX_BODY_BYTES = 4 * 1024 * 1024
# In memory an empty object takes some fifty times what it takes in the body; a listed model has three brackets.
MAX_BRACKETS = 100_000
PIECE_BYTES = 64 * 1024
MAX_MODELS = 5000
MAX_LOADED = 100
SIMULATOR_MARK = "simul"

__all__ = ["Generation", "OllamaClient", "OllamaError", "StreamLimits", "full_name", "is_cloud_name", "is_simulated"]


class OllamaClient:
    """Talks to the Ollama at `url`, e.g. `http://127.0.0.1:11434`. Threads may share it."""

    def __init__(self, url: str, read_timeout_s: float = READ_TIMEOUT_S) -> None:
        self.url = url.rstrip("/")
        self.address = urlsplit(self.url)
        self.read_timeout_s = read_timeout_s
        self._session = requests.Session()
        self._session.trust_env = False
        self._described: dict[tuple[str, str], InstalledModel] = {}

    def version(self) -> str:
        """`/api/version`, e.g. "0.24.0"."""
        version = self._call("GET", "/api/version").get("version")
        if not isinstance(version, str) or not 0 < len(version) <= 100:
            raise OllamaError("not_ollama", f"What answers at {self.url} is not Ollama: it names no version")
        return version

    def tags(self) -> list[InstalledModel]:
        """The installed models, by `/api/tags`: without capabilities and context length, which `show` adds."""
        return [_installed(row) for row in self._rows("/api/tags", MAX_MODELS)]

    def show(self, model: InstalledModel) -> InstalledModel:
        """The model with what `/api/show` knows of it: capabilities, context length, format, whether it is remote."""
        return _shown(model, self._call("POST", "/api/show", {"model": model.name}, model.name))

    def models(self) -> list[InstalledModel]:
        """All installed models, complete. Each digest is asked for once; one that cannot be shown stays as listed."""
        listed = self.tags()
        known = self._described
        self._described = {}
        for model in listed:
            key = (model.name, model.digest)
            try:
                self._described[key] = known.get(key) or self.show(model)
            except OllamaError as error:
                if error.kind in ("refused", "timeout"):
                    raise
        return [self._described.get((model.name, model.digest), model) for model in listed]

    def ps(self) -> list[LoadedModel]:
        """The models in memory now, by `/api/ps`."""
        return [_loaded(row) for row in self._rows("/api/ps", MAX_LOADED)]

    def expiries(self) -> dict[str, str]:
        """When each loaded model will be unloaded, as Ollama writes it (RFC 3339), by digest."""
        rows = self._rows("/api/ps", MAX_LOADED)
        return {_digest(row): row["expires_at"] for row in rows if _text(row.get("expires_at"), 60)}

    def unload(self, model: str) -> None:
        """Ask Ollama to drop the model. It answers at once; `ps` still lists the model for an instant."""
        self._call("POST", "/api/generate", {"model": model, "prompt": "", "keep_alive": 0, "stream": False}, model)

    def generate(
        self,
        body: dict[str, Any],
        limits: StreamLimits,
        cancel: Optional[Cancel] = None,
        on_start: Optional[Callable[[Generation], None]] = None,
    ) -> Generation:
        """`/api/generate`, streamed. Never raises for what Ollama does: look at `error` and `cancelled`."""
        return Stream(self.address, dumps(body), limits, str(body.get("model"))).run(cancel, on_start)

    def embed(self, body: dict[str, Any], limits: StreamLimits, cancel: Optional[Cancel] = None) -> Generation:
        """`/api/embed`: one vector for each text of `input`. Never raises; the vectors are checked and not kept."""
        return EmbedCall(self.address, body, limits).run(cancel)

    def _rows(self, path: str, most: int) -> list[dict[str, Any]]:
        rows = self._call("GET", path).get("models")
        if rows is None:  # older releases send null for none
            return []
        if not isinstance(rows, list) or len(rows) > most or not all(isinstance(row, dict) for row in rows):
            raise OllamaError("garbage", f"Ollama's answer to {path} is not a list of models")
        return rows

    def _call(
        self, method: str, path: str, body: Optional[dict[str, Any]] = None, model: Optional[str] = None
    ) -> dict[str, Any]:
        """One request with a JSON object as its answer, read within bounds of time and size."""
        try:
            response = self._session.request(
                method,
                self.url + path,
                data=None if body is None else dumps(body),
                headers={"Content-Type": "application/json"},
                timeout=(CONNECT_TIMEOUT_S, self.read_timeout_s),
                stream=True,
                allow_redirects=False,
            )
            with response:
                content = self._content(response, path)
        except requests.exceptions.RequestException as error:
            raise self._failed(error, path) from None
        if response.status_code != 200:
            if model is None:
                raise self._wrong_status(response.status_code, content, path)
            raise refusal(response.status_code, content, model)
        return self._object(content, path)

    def _content(self, response: requests.Response, path: str) -> bytes:
        deadline = time.monotonic() + ANSWER_TIMEOUT_S
        content = b""
        for piece in response.iter_content(PIECE_BYTES):
            content += piece
            if len(content) > MAX_BODY_BYTES:
                raise OllamaError("garbage", f"Ollama's answer to {path} is larger than {MAX_BODY_BYTES >> 20} MiB")
            if time.monotonic() > deadline:
                raise OllamaError("timeout", f"Ollama took more than {ANSWER_TIMEOUT_S:.0f} s to answer {path}")
        return content

    def _object(self, content: bytes, path: str) -> dict[str, Any]:
        if content.count(b"{") + content.count(b"[") > MAX_BRACKETS:
            raise OllamaError("garbage", f"Ollama's answer to {path} has more parts than it can have models")
        try:
            value = loads(content)
        except WireError as error:
            kind = "garbage" if content.lstrip()[:1] in (b"{", b"[") else "not_ollama"
            message = f"What answers {path} at {self.url} is not Ollama: the body {error.problems[0].message[:150]}"
            raise OllamaError(kind, message) from None
        if not isinstance(value, dict):
            raise OllamaError("garbage", f"Ollama's answer to {path} is not a JSON object")
        return value

    def _wrong_status(self, status: int, content: bytes, path: str) -> OllamaError:
        if status in (301, 302, 307, 308, 401, 403, 404, 405):
            return OllamaError(
                "not_ollama", f"What answers at {self.url} is not Ollama: HTTP {status} for {path}", status
            )
        return refusal(status, content)

    def _failed(self, error: requests.exceptions.RequestException, path: str) -> OllamaError:
        if isinstance(error, requests.exceptions.ConnectTimeout):
            return unreachable(self.address, TimeoutError())
        if isinstance(error, requests.exceptions.ReadTimeout) or "timed out" in str(error).lower():
            return OllamaError("timeout", f"Ollama at {self.url} did not answer {path} in {self.read_timeout_s:.0f} s")
        if "Connection refused" in str(error) or "10061" in str(error):  # 10061: Windows' own number for it
            return unreachable(self.address, ConnectionRefusedError())
        if isinstance(error, requests.exceptions.ConnectionError) and "Failed to establish" not in str(error):
            return OllamaError("broken_stream", f"Ollama at {self.url} closed the connection while answering {path}")
        return OllamaError("refused", f"Ollama could not be reached at {self.url}")


def full_name(name: str) -> str:
    """Ollama's full name of a model: `llama3.2` is `llama3.2:latest`."""
    return name if ":" in name.rsplit("/", 1)[-1] else f"{name}:latest"


def is_cloud_name(name: str) -> bool:
    """Whether the tag is that of a cloud model: `:cloud`, or a suffix `-cloud`."""
    tag = full_name(name).rsplit(":", 1)[-1]
    return tag == "cloud" or tag.endswith("-cloud")


def is_simulated(version: str) -> bool:
    """Whether a version string announces OBT's simulator."""
    return SIMULATOR_MARK in version.lower()


def _installed(row: dict[str, Any]) -> InstalledModel:
    details = row.get("details") if isinstance(row.get("details"), dict) else {}
    assert isinstance(details, dict)
    name = _name(row)
    return InstalledModel(
        name=name,
        digest=_digest(row),
        size_bytes=_count(row.get("size")),
        format=_text(details.get("format")),
        family=_text(details.get("family")),
        parameter_size=_text(details.get("parameter_size")),
        quantization=_text(details.get("quantization_level")),
        capabilities=_capabilities(row),
        context_length=_count(row.get("context_length")) or None,
        remote=_is_remote(row) or is_cloud_name(name),
        modified_at=_text(row.get("modified_at")),
    )


def _shown(model: InstalledModel, answer: dict[str, Any]) -> InstalledModel:
    details = answer.get("details")
    details = details if isinstance(details, dict) else {}
    return InstalledModel(
        name=model.name,
        digest=model.digest,
        size_bytes=model.size_bytes,
        format=_text(details.get("format")) or model.format,
        family=_text(details.get("family")) or model.family,
        parameter_size=_text(details.get("parameter_size")) or model.parameter_size,
        quantization=_text(details.get("quantization_level")) or model.quantization,
        capabilities=_capabilities(answer) or model.capabilities,
        context_length=_context_length(answer.get("model_info")) or model.context_length,
        remote=model.remote or _is_remote(answer),
        modified_at=model.modified_at,
    )


def _context_length(info: Any) -> Optional[int]:
    """`<architecture>.context_length` of the model's metadata."""
    if not isinstance(info, dict):
        return None
    return _count(info.get(f"{info.get('general.architecture')}.context_length")) or None


def _loaded(row: dict[str, Any]) -> LoadedModel:
    return LoadedModel(
        name=_name(row),
        digest=_digest(row),
        size_bytes=_count(row.get("size")),
        size_vram_bytes=_count(row.get("size_vram")),
        context_length=_count(row.get("context_length")) or None,
    )


def _name(row: dict[str, Any]) -> str:
    name = _text(row.get("name"), 300) or _text(row.get("model"), 300)
    if name is None:
        raise OllamaError("garbage", "Ollama listed a model without a name")
    return name


def _digest(row: dict[str, Any]) -> str:
    digest = _text(row.get("digest"), 100)
    if digest is None:
        raise OllamaError("garbage", "Ollama listed a model without a digest")
    return digest.split(":", 1)[-1]


def _is_remote(row: dict[str, Any]) -> bool:
    return bool(row.get("remote_host") or row.get("remote_model"))


def _capabilities(row: dict[str, Any]) -> list[str]:
    names = row.get("capabilities")
    return [name for name in names if _text(name, 60)][:32] if isinstance(names, list) else []


def _text(value: Any, most: int = 300) -> Optional[str]:
    usable = isinstance(value, str) and 0 < len(value) <= most and value.isprintable()
    return value if usable else None


def _count(value: Any) -> Optional[int]:
    usable = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_INT
    return value if usable else None
