"""AMD's table of metrics, /sys/class/drm/cardN/device/gpu_metrics: what holds the clocks back, and the energy counter.

Read is version 1.3, that of RDNA 2 and 3 and Instinct MI200 (120 bytes). Source: Linux,
drivers/gpu/drm/amd/include/kgd_pp_interface.h (struct gpu_metrics_v1_3) and
drivers/gpu/drm/amd/pm/swsmu/inc/amdgpu_smu.h (SMU_THROTTLER_…_BIT).
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import NamedTuple, Optional

HEADER = struct.Struct("<HBB")  # size of the table in bytes, format revision, content revision
VERSION, SIZE_BYTES = (1, 3), 120
ENERGY_AT, THROTTLE_AT = 24, 112  # bytes from the table's beginning; both are 64 bits wide
ALL_ONES = 2**64 - 1  # the driver's "not supported"
ENERGY_UNIT_MJ = 1000 / 2**16  # the counter is in units of 2^-16 J
# What holds the clocks back, by the bits of indep_throttle_status.
POWER_BITS, CURRENT_BITS = range(0, 8), range(16, 24)
HEAT_BITS, PROCHOT_BITS = range(32, 46), range(46, 48)


class Metrics(NamedTuple):
    """`energy_mj` since the driver began; `throttle` by our names. None: not told."""

    energy_mj: Optional[float]
    throttle: Optional[list[str]]


def read_metrics(device: Path) -> Optional[Metrics]:
    """The card's table; None where there is none of the version that is read here."""
    try:
        return parse(device.joinpath("gpu_metrics").read_bytes())
    except OSError:
        return None


def parse(table: bytes) -> Optional[Metrics]:
    """The table as the kernel hands it out."""
    if len(table) < HEADER.size:
        return None
    size, major, minor = HEADER.unpack_from(table)
    if (major, minor) != VERSION or size != SIZE_BYTES or len(table) < size:
        return None
    (energy,) = struct.unpack_from("<Q", table, ENERGY_AT)
    (bits,) = struct.unpack_from("<Q", table, THROTTLE_AT)
    return Metrics(
        None if energy == ALL_ONES else energy * ENERGY_UNIT_MJ, None if bits == ALL_ONES else throttle_names(bits)
    )


def throttle_names(bits: int) -> list[str]:
    """A set power limit is what a GPU is made to run at; heat and PROCHOT (the board's word) slow it down."""
    groups = {"power_cap": POWER_BITS, "current_cap": CURRENT_BITS, "thermal": HEAT_BITS, "hw_slowdown": PROCHOT_BITS}
    return [name for name, group in groups.items() if any(bits >> bit & 1 for bit in group)]
