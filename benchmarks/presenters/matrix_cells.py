"""One model on one machine: what the matrix says of the pair, and what can be said of the machine's room for it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from agents import presence
from agents.documents import Client
from benchmarks.presenters import figures, stored
from benchmarks.presenters.figures import Figure
from benchmarks.presenters.machines import look
from benchmarks.presenters.stored import Stored
from obt_site.states import StateLook, look_of

WHOLLY_ON_GPU_PERCENT = 99.5


@dataclass(frozen=True)
class Column:
    """A machine in the head of the matrix."""

    id: str
    name: str
    state: str
    hardware: str | None
    has_gpu: bool
    capacity_bytes: int | None  # main and GPU memory together: what does not fit here cannot run

    @property
    def look(self) -> StateLook:
        return look_of(self.state)


@dataclass(frozen=True)
class Cell:
    """One model on one machine.

    `kind`: value, not_run, active, failed, absent (not installed), unsuitable (cannot be measured).
    """

    kind: str
    machine: str
    pick: str = ""  # "<client>:<model>" where it can be chosen
    too_big: bool = False
    figure: Figure | None = None
    share: float | None = None  # of the best in the row
    flag: str = ""
    flag_tone: str = "dim"
    words: str = ""
    result: str | None = None
    state: str = ""
    picked: bool = False


def column(client: Client, content: Stored | None, working: bool) -> Column:
    return Column(
        id=str(client.id),
        name=client.name,
        state=look(presence.of(client).state, client.paused, working),
        hardware=stored.hardware_line(content),
        has_gpu=bool((content or {}).get("gpus")),
        capacity_bytes=capacity(content),
    )


def capacity(content: Stored | None) -> int | None:
    """Bytes a model can spread over: main memory and all GPUs' own; a shared memory counts once. None: unknown."""
    if not content or not content.get("memory_total_bytes"):
        return None
    own = [gpu for gpu in content.get("gpus") or [] if gpu.get("vendor") != "apple"]
    return int(content["memory_total_bytes"]) + sum(int(gpu.get("memory_total_bytes") or 0) for gpu in own)


def too_big(size_bytes: int | None, capacity_bytes: int | None) -> bool:
    """Whether the weights alone are more than the machine's memory."""
    return size_bytes is not None and capacity_bytes is not None and size_bytes > capacity_bytes


def latest_valid(results: Sequence[Stored], model: Stored | None) -> tuple[Stored | None, Figure | None]:
    """The newest valid result with a decode rate; a real one before a simulated one."""
    found = [(result, figures.decode_of(result["cells"])) for result in results if result["valid"]]
    having = [(result, figure) for result, figure in found if figure is not None]
    real = [pair for pair in having if not pair[0].get("simulated")]
    best = real or having
    return best[0] if best else (None, None)


def cell_of(
    name: str,
    where: Column,
    model: Stored | None,
    size: int | None,
    results: Sequence[Stored],
    latest: tuple[Stored | None, Figure | None],
    best: float,
    job: str | None,
    picked: set[str],
) -> Cell:
    if model is None:
        return Cell("absent", where.name, too_big=too_big(size, where.capacity_bytes))
    reason = stored.unsuitable(model)
    if reason:
        return Cell("unsuitable", where.name, words=reason)
    pick = f"{where.id}:{name}"
    common: dict[str, Any] = {
        "machine": where.name,
        "pick": pick,
        "picked": pick in picked,
        "too_big": too_big(model.get("size_bytes"), where.capacity_bytes),
    }
    result, figure = latest
    if job is not None:
        return Cell("active", state=job, **common)
    if result is None or figure is None:
        ended = next(iter(results), None)
        if ended is None:
            return Cell("not_run", **common)
        return Cell("failed", result=ended["_id"], state=_ended(ended), words=_why(ended), **common)
    flag, tone = _flag(result, model, where)
    share = (figure.value or 0.0) / best if best else None
    return Cell("value", figure=figure, share=share, flag=flag, flag_tone=tone, result=result["_id"], **common)


def _ended(result: Stored) -> str:
    return "invalid" if result["outcome"] == "succeeded" else str(result["outcome"])


def _why(result: Stored) -> str:
    error = result.get("error") or {}
    return str(error.get("message") or "Its samples did not pass the checks.")


def _flag(result: Stored, model: Stored, where: Column) -> tuple[str, str]:
    """The one remark a cell has room for, most important first."""
    if result.get("simulated"):
        return "simulated", "warn"
    if result.get("digest") and result["digest"] != model["digest"]:
        return "other digest", "warn"
    share = (result.get("placement") or {}).get("gpu_share")
    if where.has_gpu and share is not None and share < WHOLLY_ON_GPU_PERCENT:
        return f"{share:.0f} % GPU", "warn"
    left = figures.left_out(result["cells"])
    return (f"{left} left out", "warn") if left else ("", "dim")
