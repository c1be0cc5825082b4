"""The lines of an answer: field order and omissions as Ollama 0.24.0 writes them. Fields that are 0 are left out.

Which counters there are and what they cover is the era's.
"""

from __future__ import annotations

from typing import Any

from .clock import now_ns, rfc3339
from .engine import Chunk, Generation
from .text import ANSWER, THINKING
from .tokenizer import pieces, token_ids


class Answer:
    """What generate and chat have in common. `started_ns` is when the request came in, on the engine's clock."""

    def __init__(self, model: str, started_ns: int) -> None:
        self._model = model
        self._started_ns = started_ns
        self._load_ns = 0

    def loaded(self) -> None:
        """The model is there: `load_duration` ends now."""
        self._load_ns = now_ns() - self._started_ns

    def line(self, chunk: Chunk) -> dict[str, Any] | None:
        """The line for a chunk; None when it makes none."""
        if chunk.channel == ANSWER:
            return self._line(chunk.text, "", done=False)
        if chunk.channel == THINKING:
            return self._line("", chunk.text, done=False)
        return self._tag_line()

    def without_output(self, reason: str) -> dict[str, Any]:
        """The answer to a request that only loads or unloads."""
        return {**self._line("", "", done=True), "done_reason": reason}

    def last(self, generation: Generation, answer: str = "", thinking: str = "") -> dict[str, Any]:
        """The line with the counters; with the whole text when nothing was streamed."""
        line = {**self._line(answer, thinking, done=True), "done_reason": generation.counters.done_reason}
        durations = {"total_duration": now_ns() - self._started_ns, "load_duration": self._load_ns}
        return {**line, **self._context(generation), **durations, **reported(generation)}

    def note(self, chunk: Chunk) -> None:
        """Called for each chunk, sent or not."""

    def _tag_line(self) -> dict[str, Any] | None:
        return None

    def _context(self, generation: Generation) -> dict[str, Any]:
        return {}

    def _line(self, answer: str, thinking: str, done: bool) -> dict[str, Any]:
        raise NotImplementedError


def reported(generation: Generation) -> dict[str, int]:
    """The counters of a finished generation as its era reports them. What is 0 is not sent, nor what is not known."""
    counters, era = generation.counters, generation.era
    computed = counters.prompt_tokens - counters.cached_tokens
    batch = max(generation.runner.options.num_batch, 1)
    timed = (computed - 1) % batch + 1 if era.times_last_batch_only else computed
    numbers = {
        "prompt_eval_count": counters.prompt_tokens if era.counts_cached else computed,
        "prompt_eval_cached_count": counters.cached_tokens if era.tells_cached else None,
        "prompt_eval_duration": _cut(counters.prefill_ns * timed // max(computed, 1), era.step_ns),
        "eval_count": counters.tokens,
        "eval_duration": _cut(max(counters.decode_ns, era.least_decode_ns), era.step_ns),
    }
    always = {"prompt_eval_cached_count"}  # a pointer in Ollama's source: sent as a 0 too, left out as null
    return {key: value for key, value in numbers.items() if value or (key in always and value is not None)}


def _cut(duration_ns: int, step_ns: int) -> int:
    return duration_ns - duration_ns % step_ns


class GenerateAnswer(Answer):
    """Lines of `/api/generate`. `with_context` adds the deprecated list of token numbers to the last one."""

    def __init__(self, model: str, started_ns: int, with_context: bool) -> None:
        super().__init__(model, started_ns)
        self._with_context = with_context
        self._output: list[str] = []

    def note(self, chunk: Chunk) -> None:
        """Remember the text for `context`."""
        if self._with_context:
            self._output.append(chunk.text)

    def _tag_line(self) -> dict[str, Any] | None:
        return self._line("", "", done=False)  # generate sends an empty line where a thinking tag was

    def _context(self, generation: Generation) -> dict[str, Any]:
        if not self._with_context:
            return {}
        return {"context": token_ids(generation.prompt + pieces("".join(self._output)))}

    def _line(self, answer: str, thinking: str, done: bool) -> dict[str, Any]:
        line: dict[str, Any] = {"model": self._model, "created_at": rfc3339(), "response": answer}
        if thinking:
            line["thinking"] = thinking
        line["done"] = done
        return line


class ChatAnswer(Answer):
    """Lines of `/api/chat`."""

    def _line(self, answer: str, thinking: str, done: bool) -> dict[str, Any]:
        message = {"role": "assistant", "content": answer}
        if thinking:
            message["thinking"] = thinking
        return {"model": self._model, "created_at": rfc3339(), "message": message, "done": done}
