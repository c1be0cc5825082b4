"""What the cells of the models page can show."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Metric:
    """What the cells show. `names`: the first a result has; `cell`: where it is read if that was measured."""

    word: str
    names: tuple[str, ...]
    units: tuple[str, ...]
    cell: str
    what: str
    higher_is_better: bool = True


METRICS: dict[str, Metric] = {
    "decode": Metric("Decode", ("decode_rate", "item_rate"), ("tok/s", "items/s"), "tg128", "decode rate"),
    "prefill": Metric("Prefill", ("prefill_rate", "input_token_rate"), ("tok/s", "tok/s"), "pp512", "prefill rate"),
    "ttft": Metric("TTFT", ("ttft",), ("ms",), "chat512/128", "time to first token", False),
    "itl": Metric("ITL", ("itl",), ("ms",), "chat512/128", "time between tokens", False),
    "load": Metric("Load", ("load_time",), ("s",), "load", "load time", False),
    "energy": Metric("J/tok", ("energy_per_output_token",), ("J/tok",), "tg128", "energy per output token", False),
}
