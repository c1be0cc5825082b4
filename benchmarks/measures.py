"""The metrics that lists sort by, draw and export: their unit, which way is better, their name in a column.

Words are those of `figures.METRIC_WORDS`, formulas those of the agent's `metrics.FORMULAS`.
"""

from dataclasses import dataclass

from agent.obt_agent import metrics

HIGHER_IS_BETTER = frozenset(
    {"decode_rate", "prefill_rate", "output_throughput", "goodput", "gpu_share", "item_rate", "input_token_rate"}
)
UNITS: dict[str, str] = {
    "decode_rate": metrics.TOKENS_PER_S,
    "prefill_rate": metrics.TOKENS_PER_S,
    "ttft": metrics.MILLISECONDS,
    "ttfo": metrics.MILLISECONDS,
    "itl": metrics.MILLISECONDS,
    "icl": metrics.MILLISECONDS,
    "e2e_latency": metrics.MILLISECONDS,
    "load_time": metrics.SECONDS,
    "output_throughput": metrics.TOKENS_PER_S,
    "goodput": metrics.REQUESTS_PER_S,
    "observed_parallelism": metrics.REQUESTS,
    "ttft_spread": metrics.MILLISECONDS,
    "queueing": metrics.MILLISECONDS,
    "item_rate": metrics.ITEMS_PER_S,
    "input_token_rate": metrics.TOKENS_PER_S,
    "energy_per_output_token": metrics.JOULES_PER_TOKEN,
    "energy_per_output_token_net": metrics.JOULES_PER_TOKEN,
    "energy_per_prompt_token": metrics.JOULES_PER_TOKEN,
    "energy_per_prompt_token_net": metrics.JOULES_PER_TOKEN,
    "gpu_share": metrics.PERCENT,
}
IN_COLUMN_NAMES = {
    metrics.TOKENS_PER_S: "tok_per_s",
    metrics.REQUESTS_PER_S: "req_per_s",
    metrics.ITEMS_PER_S: "items_per_s",
    metrics.JOULES_PER_TOKEN: "j_per_tok",
    metrics.PERCENT: "percent",
}


@dataclass(frozen=True)
class Measure:
    """One metric as lists see it."""

    name: str

    @property
    def unit(self) -> str:
        return UNITS[self.name]

    @property
    def higher_is_better(self) -> bool:
        return self.name in HIGHER_IS_BETTER

    @property
    def better(self) -> str:
        """In words."""
        return "higher is better" if self.higher_is_better else "lower is better"

    @property
    def column(self) -> str:
        """Its name in an export, with its unit: `decode_rate_tok_per_s`."""
        return f"{self.name}_{IN_COLUMN_NAMES.get(self.unit, self.unit)}"


MEASURES: dict[str, Measure] = {name: Measure(name) for name in UNITS}
