"""`/api/generate`, `/api/chat` and `/api/embed`."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from .answers import Answer, ChatAnswer, GenerateAnswer
from .clock import now_ns
from .engine import TOO_LONG, Generation, embedding_time_ns, fit_prompt
from .errors import OllamaError, bad_request, model_not_found, model_required
from .faults import HANG, SLOW_START, STATUS, FaultPlan
from .models import ModelSpec
from .parsing import Body
from .scheduler import Runner
from .streaming import deliver, hang
from .tokenizer import encode
from .web import Exchange

EMPTY_ROLE = "user"
NOT_FOUND = 404


def generate(exchange: Exchange) -> None:
    """POST /api/generate. An empty prompt loads the model, with `keep_alive` 0 it unloads it."""
    started_ns = now_ns()
    body = Body(exchange.body, "GenerateRequest")
    prompt, raw = body.text("prompt"), body.flag("raw", False)
    if raw and (body.text("template", "system") or body.fields.get("context")):
        raise bad_request("raw mode does not support template, system, or context")
    text = prompt if raw else render([{"role": "system", "content": body.text("system")}, _user(prompt)])
    answer = GenerateAnswer(body.text("model"), started_ns, with_context=not raw)
    _talk(exchange, body, text if prompt else None, answer, "generate")


def chat(exchange: Exchange) -> None:
    """POST /api/chat. No messages load the model, with `keep_alive` 0 they unload it."""
    started_ns = now_ns()
    body = Body(exchange.body, "ChatRequest")
    if not body.text("model"):
        raise model_required()
    messages = [one for one in body.items("messages") if isinstance(one, dict)]
    answer = ChatAnswer(body.text("model"), started_ns)
    _talk(exchange, body, render(messages) if messages else None, answer, "chat")


def embed(exchange: Exchange) -> None:
    """POST /api/embed: one vector for each input; `prompt_eval_count` is the sum over all."""
    started_ns = now_ns()
    body = Body(exchange.body, "EmbedRequest")
    inputs = _inputs(body.fields.get("input"))
    spec = _embedding_model(exchange, body)
    plan = _plan(exchange, body, spec)
    with _runner(exchange, body, spec, plan) as runner:
        load_ns = now_ns() - started_ns
        tokens = [_embeddable(text, runner, body.flag("truncate", True)) for text in inputs]
        if fault := plan.get(SLOW_START):
            exchange.watch.wait_s(fault.seconds or 0.0)
        vectors = [_embed_one(exchange, runner, one, body.number("dimensions")) for one in tokens]
    answer: dict[str, Any] = {"model": body.text("model"), "embeddings": vectors}
    if inputs:
        answer["total_duration"] = now_ns() - started_ns
        answer["load_duration"] = load_ns
        answer["prompt_eval_count"] = sum(map(len, tokens))
    exchange.send_json(answer)


def render(messages: list[dict[str, Any]]) -> str:
    """The simulated chat template: a role line before each message with content, and the assistant's at the end."""
    turns = [f"<|{one.get('role', EMPTY_ROLE)}|>\n{one['content']}\n" for one in messages if one.get("content")]
    return "".join(turns) + "<|assistant|>\n"


def _user(content: str) -> dict[str, Any]:
    return {"role": "user", "content": content}


def _talk(exchange: Exchange, body: Body, text: str | None, answer: Answer, verb: str) -> None:
    spec = _find(exchange, body)
    if text is None and body.keep_alive_s() == 0:
        exchange.world.scheduler.expire(spec)
        exchange.send_json(answer.without_output("unload"))
        return
    thinks = _thinks(body, spec)
    if "completion" not in spec.capabilities:
        raise bad_request(f'"{body.text("model")}" does not support {verb}')
    plan = _plan(exchange, body, spec)
    with _runner(exchange, body, spec, plan) as runner:
        answer.loaded()
        if text is None:
            exchange.send_json(answer.without_output("load"))
            return
        era = exchange.world.era
        tokens = fit_prompt(encode(text), runner.options.num_ctx, body.flag("truncate", True), era)
        seed = exchange.world.next_seed()
        generation = Generation(
            runner, body.options(), tokens, seed, exchange.world.speed, exchange.watch, plan, thinks,
            body.flag("shift", True), era,
        )  # fmt: skip
        deliver(exchange, generation, answer, plan, stream=body.flag("stream", True))


def _find(exchange: Exchange, body: Body) -> ModelSpec:
    exchange.world.log.add(exchange.path, body.fields)
    spec = exchange.world.models.find(body.text("model"))
    if spec.remote_host:
        raise model_not_found(body.text("model"))
    return spec


def _embedding_model(exchange: Exchange, body: Body) -> ModelSpec:
    name = body.text("model")
    try:
        return _find(exchange, body)
    except OllamaError as unknown:
        if not name or unknown.status != NOT_FOUND:
            raise
        raise OllamaError(NOT_FOUND, f'model "{name}" not found, try pulling it first') from unknown


def _thinks(body: Body, spec: ModelSpec) -> bool:
    wanted = body.think()
    if spec.can_think:
        return wanted is not False
    if wanted:
        raise bad_request(f'"{body.text("model")}" does not support thinking')
    return False


def _plan(exchange: Exchange, body: Body, spec: ModelSpec) -> FaultPlan:
    plan = exchange.world.faults.take(exchange.path, spec.name)
    if fault := plan.get(STATUS):
        raise OllamaError(fault.status, fault.message or "something went wrong, as ordered")
    if (fault := plan.get(HANG)) and (fault.after_tokens == 0 or exchange.path == "/api/embed"):
        hang(exchange, fault)
    return plan


@contextmanager
def _runner(exchange: Exchange, body: Body, spec: ModelSpec, plan: FaultPlan) -> Iterator[Runner]:
    wanted = body.options().runner
    with exchange.world.scheduler.use(spec, wanted, body.keep_alive_s(), exchange.watch, plan) as runner:
        yield runner


def _inputs(value: object) -> list[str]:
    if value is None or value == "":
        return []
    if isinstance(value, str):
        return [value]
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return value
    raise bad_request("invalid input type")


def _embeddable(text: str, runner: Runner, truncate: bool) -> list[str]:
    tokens = encode(text)
    limit = runner.options.num_ctx
    if len(tokens) > limit and not truncate:
        raise bad_request(TOO_LONG)
    return tokens if len(tokens) <= limit else tokens[: limit - 1]  # one place is for the end-of-sequence token


def _embed_one(exchange: Exchange, runner: Runner, tokens: list[str], dimensions: int) -> list[float]:
    with runner.pool.slot(tokens, exchange.watch):
        took_ns = embedding_time_ns(runner, len(tokens), exchange.world.next_seed(), exchange.world.speed)
        exchange.watch.wait_until(now_ns() + took_ns)
    length = runner.spec.embedding_length
    return _unit_vector("".join(tokens), min(dimensions, length) if dimensions > 0 else length)


def _unit_vector(text: str, length: int) -> list[float]:
    rng = random.Random(text)  # noqa: S311 (no secret)
    raw = [rng.gauss(0, 1) for _ in range(length)]
    norm = math.sqrt(sum(one * one for one in raw))
    return [round(one / norm, 8) for one in raw]
