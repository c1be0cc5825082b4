"""The machine a proof ran on, and what else kept it busy: nobody can judge a figure without it."""

from __future__ import annotations

import os
import platform
import time
from datetime import UTC, datetime
from typing import Any

import psutil

from agent.obt_agent import __version__
from agent.obt_agent.hardware import cpu_model, operating_system

BUSY_PERCENT = 5.0  # of one core
LOOK_S = 1.0
GOVERNOR = "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"


def header() -> dict[str, Any]:
    """Date, machine, versions and load. Takes a second."""
    system, stolen = operating_system(), Stolen()
    busy = busy_processes()
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {
            "cpu": cpu_model(),
            "logical_cores": psutil.cpu_count(logical=True),
            "memory_bytes": psutil.virtual_memory().total,
            "os": system.name or system.system,
            "governor": governor(),
            "scheduling": scheduling(),
        },
        "versions": {"agent": __version__, "python": platform.python_version(), "kernel": platform.release()},
        "load_average": load_average(),
        "stolen_percent": stolen.percent(),
        "busy": busy,
    }


def governor() -> str | None:
    """The CPU frequency governor; None where there is none to read."""
    try:
        with open(GOVERNOR, encoding="ascii") as file:
            return file.read().strip() or None
    except OSError:
        return None


def scheduling() -> str:
    """How the system gives CPU time to this process and those it starts: "normal" unless somebody asked for more."""
    real_time = hasattr(os, "sched_getscheduler") and os.sched_getscheduler(0) in (os.SCHED_FIFO, os.SCHED_RR)
    nice = os.nice(0) if hasattr(os, "nice") else 0
    return "real time" if real_time else "normal" if not nice else f"nice {nice}"


def load_average() -> float | None:
    """Processes that ran or waited to run, mean of the last minute; None on systems that do not count them."""
    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None


class Stolen:
    """How much of this machine's time its host gave to others since this was made: what is late then is not ours."""

    def __init__(self) -> None:
        self._before = psutil.cpu_times()

    def percent(self) -> float | None:
        """Of all cores' time; None where the system does not count it."""
        now = psutil.cpu_times()
        if not hasattr(now, "steal") or sum(now) <= sum(self._before):
            return None
        return round(100 * (now.steal - self._before.steal) / (sum(now) - sum(self._before)), 1)


def busy_processes(look_s: float = LOOK_S) -> list[dict[str, Any]]:
    """Other processes that use more than 5 % of a core during `look_s` seconds, the busiest first."""
    before = _used()
    time.sleep(look_s)
    shares = [
        (round(100 * (used - before[pid][0]) / look_s, 1), name, pid)
        for pid, (used, name) in _used().items()
        if pid in before and pid != os.getpid()
    ]
    busy = sorted((share for share in shares if share[0] >= BUSY_PERCENT), reverse=True)
    return [{"pid": pid, "name": name, "cpu_percent": percent} for percent, name, pid in busy]


def _used() -> dict[int, tuple[float, str]]:
    """CPU seconds and name of every process that can be read."""
    found = {}
    for process in psutil.process_iter(["cpu_times", "name"]):
        times = process.info["cpu_times"]
        if times is not None:
            found[process.pid] = (times.user + times.system, process.info["name"] or "")
    return found


def shown(header: dict[str, Any]) -> str:
    """The header as people read it, some lines."""
    machine, versions = header["machine"], header["versions"]
    busy = ", ".join(f"{one['name']} {one['cpu_percent']:g} %" for one in header["busy"]) or "none"
    lines = [
        f"{header['date']}, {machine['cpu'] or 'unknown CPU'}, {machine['logical_cores']} cores, "
        f"{machine['memory_bytes'] / 2**30:.1f} GiB, {machine['os']}, kernel {versions['kernel']}, "
        f"governor {machine['governor'] or 'unknown'}",
        f"agent {versions['agent']}, Python {versions['python']}; scheduling {machine['scheduling']}",
        f"load average {'unknown' if header['load_average'] is None else header['load_average']}; "
        f"other busy processes: {busy}; stolen by the machine's host: {_percent(header['stolen_percent'])}",
    ]
    return "\n".join(lines)


def _percent(value: float | None) -> str:
    return "unknown" if value is None else f"{value:g} %"
