"""How fast a model is on a machine: decoding is bound by memory bandwidth, prefill by arithmetic, loading by the disk.

Rough on purpose, and the same for every cell of a result: what differs between cells is worked out in `samples.py`.
"""

import random
from dataclasses import dataclass

from benchmarks.demo.machines import GIB, Machine
from benchmarks.demo.models import Model

DISK_BYTES_PER_S = 2.4e9
SLOW_DISK_BYTES_PER_S = 0.35e9
SLOW_MACHINE_BANDWIDTH = 40e9
LOAD_OVERHEAD_S = 0.45
BANDWIDTH_USED = 0.72  # of what the memory could deliver
PER_TOKEN_S = 0.00045  # of work that does not grow with the model
CACHE_BYTES = 0.6 * GIB  # context, beside the weights
CPU_COMPUTE = 1.1e12
LARGEST_DECODE, LARGEST_PREFILL = 420.0, 24_000.0
FROM_DAY_TO_DAY = 0.012


@dataclass(frozen=True)
class Speed:
    """Rates in tok/s, `load_s` in seconds. `gpu_share`: 0 to 1, of the model; 0 without a GPU."""

    decode: float
    prefill: float
    load_s: float
    gpu_share: float


def speed(machine: Machine, model: Model, decode: float, prefill: float, chance: random.Random) -> Speed:
    """On a day; `decode` and `prefill` are the factors of its software then."""
    needed = model.size_bytes + CACHE_BYTES
    share = min(1.0, machine.room / needed)
    moved_s = model.active_bytes * (share / machine.bandwidth + (1 - share) / machine.host_bandwidth)
    decoding = 1 / (moved_s / BANDWIDTH_USED + PER_TOKEN_S * 1008e9 / max(machine.bandwidth, 200e9))
    work = 2 * model.active_b * 1e9
    filling = 1 / (work * (share / machine.compute + (1 - share) / min(CPU_COMPUTE, machine.compute)) / 0.42)
    disk = SLOW_DISK_BYTES_PER_S if machine.bandwidth < SLOW_MACHINE_BANDWIDTH else DISK_BYTES_PER_S
    today = chance.lognormvariate(0, FROM_DAY_TO_DAY)
    return Speed(
        decode=min(LARGEST_DECODE, decoding * decode * today),
        prefill=min(LARGEST_PREFILL, filling * prefill * today),
        load_s=LOAD_OVERHEAD_S + model.size_bytes / disk,
        gpu_share=(1.0 if share > 0.995 else share) if machine.gear.gpus else 0.0,
    )
