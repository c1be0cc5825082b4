"""Lies about the machine: where the model is, what it uses, what power it draws."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from agent.obt_agent import energy
from agent.obt_agent.energy import Meter, per_token
from agent.obt_agent.probes.nvidia import NvidiaProbe
from agent.obt_agent.probes.ollama import OllamaProbe
from agent.simulator.server import SimulatedOllama

from .lies import SPILLS, Tell, ask, close, summary, told
from .measuring import PP64, World
from .recordings import RecordedNvml
from .test_energy import BUSY_W, COUNTED, IDLE_W, SAMPLE

HARD_CODED_PERCENT = 45.0
WEIGHTS_BYTES = 256 * 1024 * 1024
# A server that starts a runner, which holds as much memory as a model's weights.
SERVER = f"""
import subprocess, sys
holds = "import sys; held = bytearray(b'w') * {WEIGHTS_BYTES}; print('loaded', flush=True); sys.stdin.read()"
sys.stdin.readline()
runner = subprocess.Popen([sys.executable, "-c", holds], stdin=subprocess.PIPE)
sys.stdin.read()
runner.kill(); runner.wait()
"""


def test_num_gpu_1_is_not_use_the_gpu(record_property: Tell, tmp_path: Path) -> None:
    with SimulatedOllama([SPILLS]) as ollama:
        ask(ollama.url, SPILLS.name, "hello", tokens=2, options={"num_gpu": 1, "num_predict": 2})
        naive = 100.0 if ollama.requests("/api/generate")[-1]["options"]["num_gpu"] == 1 else 0.0
        before = len(ollama.requests("/api/generate"))
        found = summary(World(ollama.url, SPILLS.name, [PP64], tmp_path).run(), PP64.name, "gpu_share")
        sent = [one["options"] for one in ollama.requests("/api/generate")[before:] if one["options"]]
    told(
        record_property,
        "num_gpu: 1 taken for “use the GPU”",
        f"on the GPU, {naive:.0f} % (num_gpu is 1: one layer)",
        f"{100 * SPILLS.gpu_fraction:.0f} % in GPU memory",
        f"{found.median:.1f} % in GPU memory, by /api/ps",
    )
    assert naive == 100.0
    assert close(found.median, 100 * SPILLS.gpu_fraction, 0.001)
    assert sent
    assert not any("num_gpu" in options for options in sent)


def test_the_gpus_load_is_read_and_not_hard_coded(record_property: Tell) -> None:
    busy, idle = NvidiaProbe(RecordedNvml("rtx4090")).read(), NvidiaProbe(RecordedNvml("gtx1060-laptop")).read()
    nvml = RecordedNvml("rtx4090")
    nvml.answers["devices"][0]["nvmlDeviceGetUtilizationRates"] = "NVML_ERROR_NOT_SUPPORTED"
    silent = NvidiaProbe(nvml).read()
    name = "gpu_0_utilisation_percent"
    told(
        record_property,
        "GPU load hard-coded",
        f"{HARD_CODED_PERCENT:.0f} % on each of three GPUs",
        "96 %, 0 %, and one that does not tell",
        f"{busy.values[name]:.0f} %, {idle.values[name]:.0f} %, — ({silent.missing.get(name)})",
    )
    assert (busy.values[name], idle.values[name]) == (96.0, 0.0)
    assert name not in silent.values
    assert silent.missing[name]


@pytest.fixture
def server() -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen([sys.executable, "-c", SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    yield process
    assert process.stdin
    process.stdin.close()
    process.wait(10)


def test_the_agents_own_memory_is_not_the_models(record_property: Tell, server: subprocess.Popen[str]) -> None:
    assert server.stdin
    assert server.stdout
    probe = OllamaProbe(lambda: psutil.Process(server.pid))
    empty, own_before = probe.read().values["ollama_rss_bytes"], psutil.Process().memory_info().rss
    server.stdin.write("load\n")
    server.stdin.flush()
    assert server.stdout.readline() == "loaded\n"
    probe = OllamaProbe(lambda: psutil.Process(server.pid))  # the next one looks for runners at once
    ours = probe.read().values["ollama_rss_bytes"] - empty
    own_after = psutil.Process().memory_info().rss
    mib = 1024 * 1024
    told(
        record_property,
        "the agent's own RSS as the model's memory",
        f"{own_after / mib:.0f} MiB, {(own_after - own_before) / mib:+.0f} by the load",
        f"{WEIGHTS_BYTES / mib:.0f} MiB more",
        f"{ours / mib:+.0f} MiB, in Ollama's own processes",
    )
    assert own_after - own_before < WEIGHTS_BYTES / 10
    assert close(ours, WEIGHTS_BYTES, 0.15)


def test_power_is_measured_during_the_work_and_not_before_and_after(record_property: Tell) -> None:
    phase = energy.decode_phase(SAMPLE)
    assert phase is not None
    series = next(each for each in COUNTED.series if each.name == "gpu_0_power_w")
    by_time = dict(zip(COUNTED.t_s, series.values, strict=True))
    before, after = by_time[SAMPLE.timing.start_s], by_time[20.0]
    tokens, seconds = SAMPLE.raw.eval_count or 0, phase[1] - phase[0]
    naive = ((before or 0) + (after or 0)) / 2 * seconds / tokens
    truth = BUSY_W * seconds / tokens
    metric, _ = per_token(SAMPLE, Meter(COUNTED), energy.OUTPUT)
    assert metric.value is not None
    told(
        record_property,
        "power = (before + after) ÷ 2",
        f"{naive:.2f} J/token ({IDLE_W:.0f} W)",
        f"{truth:.2f} J/token ({BUSY_W:.0f} W)",
        f"{metric.value:.2f} J/token",
    )
    assert naive < truth / 5
    assert close(metric.value, truth, 0.001)
