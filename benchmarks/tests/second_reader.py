"""A second reader of results: every published number from what the API hands out, by docs/measuring.md alone.

It shares no code with the agent or the server, and no idea beyond that page; so it finds what the page does not say.
"""

from collections import defaultdict
from itertools import pairwise
from math import comb, floor, isclose, sqrt

CLOSE = 1e-9  # relative
LIMIT_KEYS = {"ttft": "ttft_ms", "itl": "itl_ms", "e2e_latency": "e2e_ms"}


def middle(values):
    ordered = sorted(values)
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2


def at(ordered, share):
    position = (len(ordered) - 1) * share
    below = floor(position)
    return ordered[below] + (ordered[min(below + 1, len(ordered) - 1)] - ordered[below]) * (position - below)


def summary(values):
    x, n = sorted(values), len(values)
    covers = {r: 1 - 2 * sum(comb(n, i) for i in range(r)) / 2**n for r in range(1, n // 2 + 1)}
    ranks = [r for r, share in covers.items() if share >= 0.95]
    r = max(ranks, default=1)
    mean = sum(x) / n
    spread = sqrt(sum((value - mean) ** 2 for value in x) / (n - 1)) if n > 1 else None
    return {
        "median": middle(x),
        "low": x[r - 1],
        "high": x[n - r],
        "coverage": covers[r] if ranks else None,
        "iqr": at(x, 0.75) - at(x, 0.25),
        "cv": spread / abs(mean) if n > 1 and mean else None,
        "minimum": x[0],
        "maximum": x[-1],
        "n": n,
    }


def divided(part, whole):
    return None if part is None or not whole else part / whole


def less(one, other):
    return None if one is None or other is None else one - other


def of_request(sample, result, batch):
    """Every metric of one request; None where a counter is missing."""
    raw, timing, placement = sample["raw"], sample["timing"], sample["placement"] or {}
    cached = 0 if result["ollama_version"] == "0.30.0" else raw["prompt_eval_cached_count"] or 0
    counted = raw["eval_count"] if result["conditions"]["engine"] == "mlx" else less(raw["eval_count"], 1)
    gaps = [b - a for a, b in pairwise(timing["chunk_ns"])]
    parts = [raw[name] for name in ("total_duration", "load_duration", "prompt_eval_duration", "eval_duration")]
    tokens = raw["eval_count"] or 0
    return {
        "ttft": divided(timing["ttft_ns"], 1e6),
        "ttfo": divided(timing["ttfo_ns"], 1e6),
        "itl": divided(less(timing["last_token_ns"], timing["ttft_ns"]), (tokens - 1) * 1e6) if tokens > 1 else None,
        "icl": middle(gaps) / 1e6 if gaps else None,
        "e2e_latency": divided(timing["e2e_ns"], 1e6),
        "prefill_rate": divided(less(raw["prompt_eval_count"], cached), (raw["prompt_eval_duration"] or 0) / 1e9),
        "decode_rate": divided(counted, (raw["eval_duration"] or 0) / 1e9) if counted else None,
        "load_time": divided(raw["load_duration"], 1e9),
        "queueing": None if None in parts else max(0, parts[0] - sum(parts[1:])) / 1e6,
        "item_rate": divided(batch, (timing["e2e_ns"] or 0) / 1e9),
        "input_token_rate": divided(raw["prompt_eval_count"], (timing["e2e_ns"] or 0) / 1e9),
        "gpu_share": divided(100 * (placement.get("size_vram_bytes") or 0), placement.get("size_bytes")),
    }


def of_round(samples, result, cell):
    """Every metric of the requests of a round."""
    each = [of_request(sample, result, int(cell["conditions"]["batch"])) for sample in samples]
    found = {name: None if None in (v := [one[name] for one in each]) else middle(v) for name in each[0]}
    return found | (of_all(samples, each, cell["limits"] or {}) if cell["kind"] == "concurrency" else {})


def of_all(samples, each, limits):
    """What only the requests of a round together have."""
    starts = [sample["timing"]["start_s"] * 1e9 for sample in samples]
    ends = [start + sample["timing"]["e2e_ns"] for start, sample in zip(starts, samples, strict=True)]
    makespan = max(ends) - min(starts)
    tokens = [(s + x["timing"]["ttft_ns"], s + x["timing"]["last_token_ns"])
              for s, x in zip(starts, samples, strict=True)]  # fmt: skip
    spans = [(a + 0.1 * (b - a), b - 0.1 * (b - a)) for a, b in tokens]
    firsts = [sample["timing"]["ttft_ns"] for sample in samples]
    stated = {name: limits[key] for name, key in LIMIT_KEYS.items() if limits.get(key) is not None}
    met = sum(all(one[name] <= most for name, most in stated.items()) for one in each)
    return {
        "output_throughput": sum(sample["raw"]["eval_count"] for sample in samples) / makespan * 1e9,
        "observed_parallelism": float(max(sum(a <= moment <= b for a, b in spans) for moment, _ in spans)),
        "ttft_spread": (max(firsts) - min(firsts)) / 1e6 if len(samples) > 1 else None,
        "goodput": met / makespan * 1e9 if stated else None,
    }


def read_at(points, moment):
    """A series at a moment, linearly between its neighbours; None where they are more than a second apart."""
    exact = [value for t, value in points if t == moment]
    if exact:
        return exact[0]
    before, after = [p for p in points if p[0] < moment], [p for p in points if p[0] > moment]
    if not before or not after or after[0][0] - before[-1][0] > 1:
        return None
    (t0, v0), (t1, v1) = before[-1], after[0]
    return v0 + (moment - t0) / (t1 - t0) * (v1 - v0)


def energy(series, start, end):
    """Joules of all GPUs: by the counter, else by the area under the power."""
    total = 0.0
    for gpu in sorted({name.split("_")[1] for name in series if name.startswith("gpu_")}):
        joules = counter(series.get(f"gpu_{gpu}_energy_mj"), start, end)
        for name in ("power_w", "power_average_w"):
            joules = area(series.get(f"gpu_{gpu}_{name}"), start, end) if joules is None else joules
        if joules is None:
            return None
        total += joules
    return total if any(name.startswith("gpu_") for name in series) else None


def ends_of(points, start, end):
    edges = [(t, read_at(points, t)) for t in (start, end)] if points else [(start, None)]
    if any(value is None for _, value in edges):
        return None
    return [edges[0], *[p for p in points if start < p[0] < end], edges[1]]


def counter(points, start, end):
    inside = ends_of(points, start, end)
    if inside is None or any(b < a for (_, a), (_, b) in pairwise(inside)):
        return None
    return (inside[-1][1] - inside[0][1]) / 1000


def area(points, start, end):
    inside = ends_of(points, start, end)
    if inside is None or any(b[0] - a[0] > 1 for a, b in pairwise(inside)):
        return None
    return sum((b[0] - a[0]) * (a[1] + b[1]) / 2 for a, b in pairwise(inside))


def energies(sample, telemetry):
    """The four energy metrics of one sample; None where it has none."""
    if sample["timing"]["ttft_ns"] is None:
        return {}
    series = {each["name"]: [(t, v) for t, v in zip(telemetry["t_s"], each["values"], strict=True) if v is not None]
              for each in telemetry["series"]}  # fmt: skip
    idle = next((p for p in telemetry["phases"] if p["kind"] == "idle"), None)
    idle_w = energy(series, idle["start_s"], idle["end_s"]) / (idle["end_s"] - idle["start_s"]) if idle else None
    raw, timing, place = sample["raw"], sample["timing"], sample["placement"]
    start = timing["start_s"]
    first, last = start + timing["ttft_ns"] / 1e9, start + timing["last_token_ns"] / 1e9
    loaded = start + min(raw["load_duration"] or 0, timing["ttft_ns"]) / 1e9
    uncached = raw["prompt_eval_count"] - (raw["prompt_eval_cached_count"] or 0)
    found = {}
    for name, begin, end, tokens in (("output", first, last, raw["eval_count"]), ("prompt", loaded, first, uncached)):
        on_gpu = place["size_vram_bytes"] / place["size_bytes"] >= 0.99 and telemetry["of_this_machine"]
        joules = energy(series, begin, end) if on_gpu else None
        found[f"energy_per_{name}_token"] = divided(joules, tokens)
        net = None if joules is None or idle_w is None else joules - idle_w * (end - begin)
        found[f"energy_per_{name}_token_net"] = divided(net, tokens)
    return found


def recomputed(result, samples, telemetry):
    """{cell: {metric: summary}} of a result, from the three answers of the API."""
    found = {}
    for cell in result["cells"]:
        grouped = defaultdict(list)
        for sample in samples["items"]:
            if sample["cell"] == cell["cell"] and not sample["warmup"]:
                grouped[sample["index"]].append(sample)
        if cell["skipped"]:
            continue
        width = int(cell["conditions"]["concurrency"])
        counted = [one for one in grouped.values() if len(one) == width and all(sample["valid"] for sample in one)]
        rounds = [of_round(one, result, cell) for one in counted]
        rows = [*rounds, *(energies(sample, telemetry) for one in counted for sample in one if telemetry)]
        values = defaultdict(list)
        for row in rows:
            for name, value in row.items():
                if value is not None:
                    values[name].append(value)
        found[cell["cell"]] = {name: summary(known) for name, known in values.items()}
    return found


def same(one, other):
    return one == other if one is None or other is None else isclose(one, other, rel_tol=CLOSE, abs_tol=1e-12)
