"""Sending a generation to the client, with the faults that strike on the way."""

from __future__ import annotations

from .answers import Answer
from .engine import Generation
from .errors import CutConnection, OllamaError
from .faults import CUT, ERROR_LINE, GARBAGE, HANG, NO_DONE, RESTART, Fault, FaultPlan
from .text import THINKING
from .web import Exchange

DEFAULT_DOWN_S = 1.0
RUNNER_DIED = "an error was encountered while running the model: unexpected EOF"


class _StreamEnds(Exception):
    """The stream ends here without its last line."""


def deliver(exchange: Exchange, generation: Generation, answer: Answer, plan: FaultPlan, stream: bool) -> None:
    """Run the generation and send it, chunk by chunk or whole."""
    try:
        if stream:
            _stream(exchange, generation, answer, plan)
        else:
            _whole(exchange, generation, answer, plan)
    except _StreamEnds:
        exchange.end_stream()


def hang(exchange: Exchange, fault: Fault) -> None:
    """Send nothing for the fault's time, or until the client has had enough."""
    if fault.seconds is None:
        exchange.watch.wait_for_ever()
    exchange.watch.wait_s(fault.seconds or 0.0)


def _stream(exchange: Exchange, generation: Generation, answer: Answer, plan: FaultPlan) -> None:
    strikes = _Strikes(exchange, plan)
    for chunk in generation.chunks():
        strikes.before(chunk.tokens)
        answer.note(chunk)
        line = answer.line(chunk)
        if line is not None:
            exchange.send_line(line)
    strikes.before(generation.counters.tokens + 1)
    exchange.send_line(answer.last(generation))
    exchange.end_stream()


def _whole(exchange: Exchange, generation: Generation, answer: Answer, plan: FaultPlan) -> None:
    strikes = _Strikes(exchange, plan)
    texts: dict[bool, list[str]] = {True: [], False: []}
    for chunk in generation.chunks():
        strikes.before(chunk.tokens)
        answer.note(chunk)
        if chunk.channel in ("answer", THINKING):
            texts[chunk.channel == THINKING].append(chunk.text)
    exchange.send_json(answer.last(generation, "".join(texts[False]), "".join(texts[True])))


class _Strikes:
    """Faults that wait for a number of tokens to have been sent."""

    def __init__(self, exchange: Exchange, plan: FaultPlan) -> None:
        self._exchange = exchange
        self._plan = plan
        self._struck: set[str] = set()

    def before(self, token: int) -> None:
        """Called before the chunk that ends with that token (counted from 1) is sent."""
        for kind in (GARBAGE, HANG, RESTART, CUT, ERROR_LINE, NO_DONE):
            fault = self._plan.get(kind)
            if fault is not None and kind not in self._struck and token > fault.after_tokens:
                self._struck.add(kind)
                self._strike(fault)

    def _strike(self, fault: Fault) -> None:
        if fault.kind == GARBAGE:
            self._exchange.send_raw_line(b"{" * max(fault.size_bytes - 1, 0) + b"\n")
        elif fault.kind == HANG and fault.after_tokens:
            hang(self._exchange, fault)
        elif fault.kind == RESTART:
            self._exchange.restart_server(DEFAULT_DOWN_S if fault.seconds is None else fault.seconds)
        elif fault.kind == CUT:
            raise CutConnection
        elif fault.kind == ERROR_LINE:
            raise OllamaError(500, fault.message or RUNNER_DIED)
        elif fault.kind == NO_DONE:
            raise _StreamEnds
