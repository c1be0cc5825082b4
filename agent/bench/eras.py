"""The era switch: the same job on a real older Ollama and on the newest that can be built, and what counters mean."""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Iterable
from dataclasses import dataclass

from agent.bench.one_job import counted, real_ollama, run
from agent.bench.report import Row, Settings
from agent.obt_agent.contract import CellSpec, RawCounters, ResultBody
from agent.obt_agent.engines import Engine, counts_uncached_only, engine_of
from agent.obt_agent.metrics import HEADLINE, decode_rate, derive
from agent.obt_agent.ollama import OllamaClient, StreamLimits
from agent.obt_agent.prompts import body
from agent.obt_agent.statistics import median
from agent.real_ollama.models import NEVER_STOPS
from agent.real_ollama.tools import DEFAULT_VERSION, OLDER_VERSION

ENGINES = {OLDER_VERSION: Engine.GO_RUNNER, DEFAULT_VERSION: Engine.GO_RUNNER}
NUM_CTX = 2048
PROMPT_CHARACTERS = 700
LIMITS = StreamLimits(60.0, 60.0)
CACHED_TAKES_LESS_THAN = 0.25  # of the first call's time
CELLS = (
    CellSpec("load", "load", 3, 0, prompt_tokens=0, output_tokens=1, num_ctx=NUM_CTX),
    CellSpec("pp512", "prefill", 6, 1, prompt_tokens=512, output_tokens=1, num_ctx=NUM_CTX),
    CellSpec("tg128", "decode", 6, 1, prompt_tokens=32, output_tokens=128, num_ctx=NUM_CTX),
    CellSpec("chat512/128", "chat", 6, 1, prompt_tokens=512, output_tokens=128, num_ctx=NUM_CTX),
    CellSpec("c2", "concurrency", 3, 0, prompt_tokens=128, output_tokens=64, num_ctx=NUM_CTX, concurrency=2),
)


@dataclass(frozen=True)
class Facts:
    """What one Ollama does that the formulas rely on: the same prompt twice, and a prompt that is too long."""

    first: RawCounters
    again: RawCounters
    overflow: str | None

    @property
    def full_count_on_a_hit(self) -> bool:
        """The second call computed next to nothing, and counts the whole prompt all the same."""
        times = (self.again.prompt_eval_duration, self.first.prompt_eval_duration)
        if None in times or not self.first.prompt_eval_count:
            return False
        is_hit = (times[0] or 0) < CACHED_TAKES_LESS_THAN * (times[1] or 0)
        return is_hit and self.again.prompt_eval_count == self.first.prompt_eval_count

    @property
    def one_token_is_not_timed(self) -> bool:
        """One token has no eval_duration, so it has no decode rate either."""
        return (self.first.eval_count, self.first.eval_duration) == (1, None)

    @property
    def refuses_what_does_not_fit(self) -> bool:
        """`truncate: false` is heard: a prompt beyond the context is refused and not cut."""
        return self.overflow is not None


def rows(settings: Settings) -> Iterable[Row]:
    """One row per release. Raises CannotRun where one is not built."""
    for version, engine in ENGINES.items():
        with real_ollama([NEVER_STOPS], version) as ollama:
            yield row(version, engine, run(ollama.url, NEVER_STOPS.name, cells(settings)), facts(ollama.url))


def cells(settings: Settings) -> list[CellSpec]:
    """The job; a quick one takes three samples of each."""
    return [dataclasses.replace(spec, repetitions=3) if settings.quick else spec for spec in CELLS]


def row(version: str, engine: Engine, result: ResultBody, found: Facts) -> Row:
    """What the job came to, and which of the facts hold."""
    short = {
        each.spec.name: f"{rounds(result, each.spec)} of {each.spec.repetitions}"
        for each in result.cells
        if rounds(result, each.spec) < each.spec.repetitions
    }
    state = result.environment.ollama if result.environment else None
    said = state.version if state else None
    named = engine_of(said, result.environment.model.format if result.environment else None)
    uncached = counts_uncached_only(said)
    holds = {
        "full prompt_eval_count on a cache hit": found.full_count_on_a_hit and not uncached,
        "no eval_duration for one token": found.one_token_is_not_timed and decode_rate(1, None).value is None,
        "truncate: false heard": found.refuses_what_does_not_fit,
    }
    wrong = [what for what, true in holds.items() if not true]
    numbers = ", ".join(headline(result, spec) for spec in CELLS[1:3])
    return Row(
        what=f"era of Ollama {version}",
        how=f"real Ollama {version}, {NEVER_STOPS.name}: {', '.join(spec.name for spec in CELLS)}",
        must="every sample valid, engine and counters as known for it",
        measured=(
            f"{result.outcome}, version {said}, {named.value}, {numbers}; "
            + (f"short: {short}; " if short else "all cells complete; ")
            + ("; ".join(f"not so: {what}" for what in wrong) if wrong else ", ".join(holds))
        ),
        ok=result.outcome == "succeeded" and said == version and named is engine and not short and not wrong,
        details={"short": short, "facts": holds, "first": dataclasses.asdict(found.first), "overflow": found.overflow},
    )


def rounds(result: ResultBody, spec: CellSpec) -> int:
    """Rounds of a cell of which every request counts."""
    valid = counted(result, spec.name)
    return sum(
        sum(sample.index == index for sample in valid) == spec.concurrency for index in {one.index for one in valid}
    )


def headline(result: ResultBody, spec: CellSpec) -> str:
    """`tg128 532 tok/s`: the cell's median, worked out by version and format of the result alone."""
    version = result.environment.ollama.version if result.environment else None
    model_format = result.environment.model.format if result.environment else None
    engine, uncached = engine_of(version, model_format), counts_uncached_only(version)
    metrics = [derive(sample, spec, engine, uncached)[HEADLINE[spec.kind]] for sample in counted(result, spec.name)]
    values = [metric.value for metric in metrics if metric.value is not None]
    return f"{spec.name} {median(values):,.0f} {metrics[0].unit}" if values else f"{spec.name} —"


def facts(url: str) -> Facts:
    """Ask for one token after the same long prompt twice, then with one that the context cannot hold."""
    prompt = f"{uuid.uuid4().hex} {body(PROMPT_CHARACTERS)}"
    first, again = ask(url, prompt), ask(url, prompt)
    too_long = OllamaClient(url).generate(request(f"{uuid.uuid4().hex} {body(5 * NUM_CTX)}"), LIMITS)
    return Facts(first, again, too_long.error.message if too_long.error else None)


def ask(url: str, prompt: str) -> RawCounters:
    """The counters of one answered request."""
    return OllamaClient(url).generate(request(prompt), LIMITS).raw


def request(prompt: str) -> dict[str, object]:
    """One token, raw, never truncated."""
    options = {"num_predict": 1, "num_ctx": NUM_CTX, "temperature": 0, "stop": []}
    return {"model": NEVER_STOPS.name, "prompt": prompt, "raw": True, "truncate": False, "options": options}
