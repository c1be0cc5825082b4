"""What Ollama tells about itself and its models, and pulling, copying and deleting them."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

from .clock import NS_PER_S, rfc3339
from .eras import Era
from .errors import OllamaError, bad_request, model_required
from .models import ModelSpec, canonical_name
from .parsing import Body
from .scheduler import Runner
from .web import TEXT_TYPE, Exchange

PULL_STEPS = 10
PULL_STEP_S = 0.05
CHAT_TEMPLATE = "{{ range .Messages }}<|{{ .Role }}|>\n{{ .Content }}\n{{ end }}<|assistant|>\n"
THINK_TEMPLATE = CHAT_TEMPLATE + "{{ if .Thinking }}<think>{{ .Thinking }}</think>{{ end }}"


def root(exchange: Exchange) -> None:
    """GET and HEAD /."""
    exchange.send(200, b"Ollama is running", TEXT_TYPE)


def version(exchange: Exchange) -> None:
    """GET /api/version."""
    exchange.send_json({"version": exchange.world.version})


def tags(exchange: Exchange) -> None:
    """GET /api/tags: the installed models, newest first."""
    era = exchange.world.era
    exchange.send_json({"models": [_tag(spec, era) for spec in exchange.world.models.all()]})


def running(exchange: Exchange) -> None:
    """GET /api/ps: the loaded models."""
    era = exchange.world.era
    exchange.send_json({"models": [_loaded(runner, era) for runner in exchange.world.scheduler.loaded()]})


def show(exchange: Exchange) -> None:
    """POST /api/show."""
    name = Body(exchange.body, "ShowRequest").text("model", "name")
    if not name:
        raise model_required()
    exchange.send_json(_description(exchange.world.models.find(name), exchange.world.era))


def delete(exchange: Exchange) -> None:
    """DELETE /api/delete."""
    name = Body(exchange.body, "DeleteRequest").text("model", "name")
    if not name:
        raise model_required()
    spec = exchange.world.models.find(name)
    exchange.world.models.remove(name)
    exchange.world.scheduler.expire(spec)
    exchange.send_empty()


def copy(exchange: Exchange) -> None:
    """POST /api/copy."""
    body = Body(exchange.body, "CopyRequest")
    source, destination = body.text("source"), body.text("destination")
    for what, name in (("source", source), ("destination", destination)):
        if not name:
            raise bad_request(f'{what} "{name}" is invalid')
    try:
        exchange.world.models.copy(source, destination)
    except OllamaError as unknown:
        raise OllamaError(404, f'model "{source}" not found') from unknown
    exchange.send_empty()


def create(exchange: Exchange) -> None:
    """POST /api/create is not simulated."""
    raise OllamaError(501, "the simulator cannot create models; POST /simulator/models adds one")


def pull(exchange: Exchange) -> None:
    """POST /api/pull: status lines, progress on one layer, success. Known are deleted models and a few more."""
    body = Body(exchange.body, "PullRequest")
    name = body.text("model", "name")
    exchange.world.log.add(exchange.path, body.fields)
    if not name:
        raise bad_request("invalid model name")
    if body.flag("stream", True):
        _pull_streaming(exchange, name)
    else:
        exchange.world.models.add(_found_in_registry(exchange, name))
        exchange.send_json({"status": "success"})


def _pull_streaming(exchange: Exchange, name: str) -> None:
    exchange.send_line({"status": "pulling manifest"})
    spec = _found_in_registry(exchange, name)
    for step in range(PULL_STEPS + 1):
        exchange.watch.wait_s(PULL_STEP_S / exchange.world.speed)
        exchange.send_line(_progress(spec, step))
    exchange.world.models.add(replace(spec, modified_ns=time.time_ns()))
    for status in ("verifying sha256 digest", "writing manifest", "success"):
        exchange.send_line({"status": status})
    exchange.end_stream()


def _found_in_registry(exchange: Exchange, name: str) -> ModelSpec:
    spec = exchange.world.models.pull(name)
    if spec is None:
        raise OllamaError(500, "pull model manifest: file does not exist")
    return spec


def _progress(spec: ModelSpec, step: int) -> dict[str, Any]:
    line: dict[str, Any] = {"status": f"pulling {spec.digest[:12]}", "digest": f"sha256:{spec.digest}"}
    line["total"] = spec.size_bytes
    if step:
        line["completed"] = spec.size_bytes * step // PULL_STEPS
    return line


def _details(spec: ModelSpec, era: Era) -> dict[str, Any]:
    return {
        "parent_model": "",
        "format": era.model_format,
        "family": spec.family,
        "families": [spec.family],
        "parameter_size": spec.parameter_size,
        "quantization_level": spec.quantization,
    }


def _remote(spec: ModelSpec) -> dict[str, Any]:
    if not spec.remote_host:
        return {}
    return {"remote_model": spec.remote_model, "remote_host": spec.remote_host}


def _tag(spec: ModelSpec, era: Era) -> dict[str, Any]:
    return {
        "name": spec.name,
        "model": spec.name,
        **_remote(spec),
        "modified_at": rfc3339(spec.modified_ns),
        "size": spec.size_bytes,
        "digest": spec.digest,
        "details": _details(spec, era),
    }


def _loaded(runner: Runner, era: Era) -> dict[str, Any]:
    return {
        "name": runner.spec.name,
        "model": runner.spec.name,
        "size": runner.size_bytes,
        "digest": runner.spec.digest,
        "details": _details(runner.spec, era),
        "expires_at": rfc3339(time.time_ns() + int(runner.expires_in_s * NS_PER_S)),
        "size_vram": runner.vram_bytes,
        "context_length": runner.options.num_ctx,
    }


def _description(spec: ModelSpec, era: Era) -> dict[str, Any]:
    template = THINK_TEMPLATE if spec.can_think else CHAT_TEMPLATE
    return {
        "modelfile": f"# Modelfile of a simulated model\nFROM {spec.name}\n",
        "template": template,
        "details": _details(spec, era),
        **_remote(spec),
        "model_info": _model_info(spec),
        "capabilities": list(spec.capabilities),
        "modified_at": rfc3339(spec.modified_ns),
    }


def _model_info(spec: ModelSpec) -> dict[str, Any]:
    info: dict[str, Any] = {
        "general.architecture": spec.family,
        "general.basename": canonical_name(spec.name).split(":")[0],
        "general.parameter_count": spec.parameter_count,
        f"{spec.family}.block_count": spec.block_count,
        f"{spec.family}.context_length": spec.context_length,
        f"{spec.family}.embedding_length": spec.embedding_length,
    }
    if "embedding" in spec.capabilities:
        info[f"{spec.family}.pooling_type"] = 1
    return info
