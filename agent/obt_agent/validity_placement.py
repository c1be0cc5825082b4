"""The gates about where the model was: GPU memory, main memory, or parted between them. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Optional

from .contract import Placement, Sample

PLACEMENT_TOLERANCE = 0.01


def placement_changed(sample: Sample, cell: Sequence[Sample]) -> bool:
    """Whether the model was elsewhere (GPU, both, main memory) than for most of the cell (on a tie: the earliest)."""
    share = gpu_share_of(sample.placement)
    if share is None:
        return False
    usual = usual_share(cell)
    return not _alike(share, usual) and where(share) != where(usual)


def partial_spill_changed(sample: Sample, cell: Sequence[Sample]) -> bool:
    """Whether a model in both memories had another part in main memory than most of the cell."""
    share = gpu_share_of(sample.placement)
    if share is None:
        return False
    usual = usual_share(cell)
    return not _alike(share, usual) and where(share) == where(usual)


def usual_share(cell: Sequence[Sample]) -> float:
    """The GPU share most of the cell had; one of its samples must have one."""
    known = (gpu_share_of(other.placement) for other in cell)
    shares = [share for share in known if share is not None]
    return max(shares, key=lambda one: sum(_alike(one, other) for other in shares))


def where(share: float) -> str:
    """gpu, cpu, or both, for a GPU share of 0 to 1."""
    if share >= 1 - PLACEMENT_TOLERANCE:
        return "gpu"
    return "cpu" if share <= PLACEMENT_TOLERANCE else "both"


def gpu_share_of(placement: Optional[Placement]) -> Optional[float]:
    """size_vram / size, 0 to 1; None when either is unknown."""
    if placement is None or not placement.size_bytes or placement.size_vram_bytes is None:
        return None
    return placement.size_vram_bytes / placement.size_bytes


def _alike(one: float, other: float) -> bool:
    return abs(one - other) <= PLACEMENT_TOLERANCE
