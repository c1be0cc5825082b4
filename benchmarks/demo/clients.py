"""The made-up machines as the server keeps them: as if their agents had reported a moment ago."""

import math
import random
from datetime import datetime, timedelta
from typing import Any

from agent.obt_agent import contract, wire
from agents import hardware, presence, recent
from agents.documents import Client, ModelInstallation
from benchmarks.demo import bodies, machines
from benchmarks.demo.machines import GB, GIB, Machine
from benchmarks.demo.models import Model

OFFLINE_FOR = timedelta(days=3, hours=4)
AWAY_FOR = timedelta(hours=5)
READING_EVERY = timedelta(seconds=10)
READINGS = 60
FULL_DISK = "Less than 500 MB are free on the disk, so results could not be kept. Free some space."
RENEWED_FROM_SHARE = 0.6  # when the renewed models were published again
BOTH_SHARES = 1.0


def client(identity: Any, machine: Machine, now: datetime, days: float, count: int, chance: random.Random) -> Client:
    """The machine's document; `count` models are on it."""
    gear = machines.gear_at(machine, BOTH_SHARES)
    version, _, _ = machines.release_at(machine, BOTH_SHARES, days)
    away, offline = machine.state == "away", machine.state == "offline"
    seen = now - OFFLINE_FOR if offline else now
    since = seen if offline else now - AWAY_FOR
    ollama = wire.encode(bodies.ollama(version, reachable=not away))
    verdict = presence.judge(seen, ollama, since, now)
    return Client(
        id=identity,
        name=machine.name,
        hostname=f"{machine.name}.example",
        labels=list(machine.labels),
        created_at=now - timedelta(days=days),
        credential_id=str(identity),
        credential_hash="none: nobody signs in as a made-up machine",
        agent_version=bodies.OLD_AGENT_VERSION if machine.old_agent else bodies.AGENT_VERSION,
        protocol=contract.PROTOCOL,
        boot_id=f"demo-{machine.name}",
        paused=machine.paused,
        has_agent=False,
        state=verdict.state.value,
        state_since=verdict.since or now - timedelta(days=2, hours=chance.randint(1, 200)),
        reason=verdict.reason,
        last_seen_at=seen,
        refusal=FULL_DISK if machine.state == "full" else None,
        ollama=ollama,
        ollama_since=since,
        reading=wire.encode(_reading(machine, gear, chance)),
        recent=recent.pack(_history(machine, seen, chance)),
        hardware_config=hardware.content_hash(gear),
        models_hash=f"demo-{machine.name}",
        models_count=count,
        models_at=seen,
    )


def _reading(machine: Machine, gear: contract.Hardware, chance: random.Random) -> contract.HostReading:
    memory = gear.memory_total_bytes or 8 * GIB
    disk = 0.31 * GB if machine.state == "full" else chance.uniform(40, 900) * GB
    return contract.HostReading(
        cpu_percent=round(chance.uniform(0.5, 9), 1),
        memory_used_bytes=round(memory * chance.uniform(0.08, 0.3)),
        memory_total_bytes=memory,
        swap_used_bytes=0,
        disk_free_bytes=round(disk),
        gpus=[
            contract.GpuReading(
                gpu.index,
                round(chance.uniform(0, 4), 1),
                round((gpu.memory_total_bytes or 0) * 0.03),
                gpu.memory_total_bytes,
                None if gpu.vendor == "apple" else round(chance.uniform(34, 47)),
                None if machine.watts is None else round(machine.watts[0] / len(gear.gpus), 1),
            )
            for gpu in gear.gpus
        ],
        missing=dict(gear.missing),
    )


def _history(machine: Machine, seen: datetime, chance: random.Random) -> list[dict[str, Any]]:
    """Ten minutes of use: mostly quiet, and one hump on some."""
    hump = chance.choice([0.0, 0.0, 35.0, 80.0])
    centre = chance.uniform(10, 50)
    found = []
    for i in range(READINGS):
        high = hump * math.exp(-(((i - centre) / 7) ** 2))
        found.append(
            {
                "at": seen - READING_EVERY * (READINGS - 1 - i),
                "cpu": round(min(100.0, 3 + 0.2 * high + chance.uniform(0, 6)), 1),
                "memory": round(18 + 0.1 * high + chance.uniform(0, 1), 1),
                "gpu": round(min(100.0, high + chance.uniform(0, 3)), 1) if machine.gear.gpus else None,
            }
        )
    return found


def installation(identity: Any, owner: Client, model: Model, newest: bool, seen: datetime) -> ModelInstallation:
    """One model on this machine now."""
    return ModelInstallation(
        id=identity, client=owner.id, seen_at=seen, **wire.encode(listed(model, newest, 1.0, seen))
    )


def listed(model: Model, newest: bool, share: float, now: datetime) -> contract.InstalledModel:
    """The model as its machine listed it at a share of the time: before it was published again it was the old one."""
    pulled = now - timedelta(days=40 if newest else 170)
    return model.installed(newest and share >= RENEWED_FROM_SHARE, pulled.isoformat())
