"""Twelve machines of the kinds people have, with what changed on them in half a year."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from agent.obt_agent.contract import Cpu, Gpu, Hardware, OperatingSystem

GIB = 1024**3
GB = 1000**3


@dataclass(frozen=True)
class Machine:
    """`bandwidth`: of the memory its models lie in, bytes/s. `compute`: FLOP/s of prefill. `host_bandwidth`: of main
    memory, for what does not fit. `spread`: standard deviation of a sample's rate, as a share. `room`: bytes a model
    may take where it runs fastest. `watts`: of its GPUs, idle and busy; None where they tell nothing."""

    name: str
    gear: Hardware
    bandwidth: float
    compute: float
    room: int
    host_bandwidth: float = 50e9
    spread: float = 0.008
    watts: tuple[float, float] | None = None
    has_share: float = 0.3  # of the models that fit
    busy: float = 1.0  # how often it is chosen to measure
    labels: tuple[str, ...] = ()
    lag_days: float = 4  # between a release of Ollama and its installation here
    state: str = "online"  # online, offline, away (its Ollama is), full (its disk is)
    paused: bool = False
    old_agent: bool = False
    driver_from: tuple[float, str] | None = None  # share of the time from which on the driver is this one


def _linux(name: str = "Ubuntu 24.04.1 LTS", kernel: str = "6.8.0-47-generic", arch: str = "x86_64") -> OperatingSystem:
    return OperatingSystem("Linux", name, kernel, arch)


def _gpus(count: int, name: str, vendor: str, memory: int, driver: str | None, limit: float | None) -> list[Gpu]:
    return [Gpu(i, name, vendor, memory, driver, limit) for i in range(count)]  # type: ignore[arg-type]


def _cpu(model: str, physical: int, logical: int, mhz: float | None = None) -> Cpu:
    return Cpu(model, physical, logical, mhz)


FLEET: tuple[Machine, ...] = (
    Machine(
        "forge",
        Hardware(
            _cpu("AMD Ryzen 9 7950X 16-Core Processor", 16, 32, 5881),
            _linux(),
            64 * GIB,
            _gpus(1, "NVIDIA GeForce RTX 4090", "nvidia", 24 * GIB, "560.35.03", 450),
        ),
        bandwidth=1008e9, compute=130e12, room=int(22.5 * GIB), host_bandwidth=62e9, spread=0.004, watts=(28, 390),
        has_share=0.62, busy=3.0, labels=("workshop", "reference"), lag_days=2, driver_from=(0.52, "570.86.16"),
    ),
    Machine(
        "atlas",
        Hardware(
            _cpu("AMD Ryzen Threadripper 3960X 24-Core Processor", 24, 48, 4500),
            _linux("Debian GNU/Linux 12 (bookworm)", "6.1.0-27-amd64"),
            128 * GIB,
            _gpus(2, "NVIDIA GeForce RTX 3090", "nvidia", 24 * GIB, "550.120", 350),
        ),
        bandwidth=900e9, compute=62e12, room=45 * GIB, host_bandwidth=75e9, spread=0.007, watts=(52, 560),
        has_share=0.72, busy=2.2, labels=("workshop",), lag_days=6, driver_from=(0.7, "570.124.06"),
    ),
    Machine(
        "ember",
        Hardware(
            _cpu("Intel Core i7-13700K", 16, 24, 5400),
            _linux("Fedora Linux 41", "6.11.10-300.fc41.x86_64"),
            32 * GIB,
            _gpus(1, "AMD Radeon RX 7900 XTX", "amd", 24 * GIB, "6.3.6", 355),
        ),
        bandwidth=880e9, compute=56e12, room=22 * GIB, host_bandwidth=58e9, spread=0.012, watts=(19, 320),
        has_share=0.45, busy=1.6, labels=("workshop",),
    ),
    Machine(
        "studio",
        Hardware(
            _cpu("Apple M2 Ultra", 24, 24, None),
            OperatingSystem("Darwin", "macOS 15.6", "24.6.0", "arm64"),
            192 * GIB,
            _gpus(1, "Apple M2 Ultra", "apple", 144 * GIB, None, None),
            {"gpu_0_power_w": "macOS tells the power of its GPU to administrators only."},
        ),
        bandwidth=760e9, compute=24e12, room=140 * GIB, host_bandwidth=760e9, spread=0.005,
        has_share=0.8, busy=1.8, labels=("office", "mac"),
    ),
    Machine(
        "mini",
        Hardware(
            _cpu("Apple M4", 10, 10, None),
            OperatingSystem("Darwin", "macOS 15.6", "24.6.0", "arm64"),
            16 * GIB,
            _gpus(1, "Apple M4", "apple", 12 * GIB, None, None),
            {"gpu_0_power_w": "macOS tells the power of its GPU to administrators only."},
        ),
        bandwidth=112e9, compute=4.3e12, room=int(11.5 * GIB), host_bandwidth=112e9, spread=0.006,
        has_share=0.3, busy=1.2, labels=("office", "mac"),
    ),
    Machine(
        "arc",
        Hardware(
            _cpu("Intel Core i5-12400", 6, 12, 4400),
            _linux(kernel="6.11.0-21-generic"),
            32 * GIB,
            _gpus(1, "Intel Arc A770", "intel", 16 * GIB, "25.05.32567", 225),
        ),
        bandwidth=400e9, compute=30e12, room=15 * GIB, host_bandwidth=45e9, spread=0.018, watts=(42, 185),
        has_share=0.26, busy=1.0, labels=("lab",),
    ),
    Machine(
        "rack-1",
        Hardware(
            _cpu("AMD EPYC 7543 32-Core Processor", 64, 128, 3738),
            _linux("Debian GNU/Linux 12 (bookworm)", "6.1.0-27-amd64"),
            256 * GIB,
        ),
        bandwidth=180e9, compute=3.4e12, room=230 * GIB, host_bandwidth=180e9, spread=0.015,
        has_share=0.5, busy=1.1, labels=("rack", "cpu only"), paused=True,
    ),
    Machine(
        "rack-2",
        Hardware(
            _cpu("Intel Xeon Gold 6248R CPU @ 3.00GHz", 48, 96, 4000),
            _linux("Ubuntu 22.04.5 LTS", "5.15.0-126-generic"),
            192 * GIB,
        ),
        bandwidth=120e9, compute=2.2e12, room=170 * GIB, host_bandwidth=120e9, spread=0.02,
        has_share=0.35, busy=0.7, labels=("rack", "cpu only"), state="away",
    ),
    Machine(
        "lark",
        Hardware(
            _cpu("AMD Ryzen 7 PRO 6850U with Radeon Graphics", 8, 16, 4767),
            _linux("Arch Linux", "6.12.4-arch1-1"),
            32 * GIB,
        ),
        bandwidth=55e9, compute=0.75e12, room=24 * GIB, host_bandwidth=55e9, spread=0.03,
        has_share=0.2, busy=0.6, labels=("laptop",), state="offline",
    ),
    Machine(
        "wisp",
        Hardware(
            _cpu("13th Gen Intel(R) Core(TM) i7-13700H", 14, 20, 5000),
            OperatingSystem("Windows", "Windows 11", "10.0.26100", "x86_64"),
            32 * GIB,
            _gpus(1, "NVIDIA GeForce RTX 4060 Laptop GPU", "nvidia", 8 * GIB, "566.36", 95),
        ),
        bandwidth=240e9, compute=26e12, room=7 * GIB, host_bandwidth=60e9, spread=0.022, watts=(4, 82),
        has_share=0.26, busy=1.0, labels=("laptop",),
    ),
    Machine(
        "pebble",
        Hardware(
            _cpu("Cortex-A76", 4, 4, 2400),
            _linux("Debian GNU/Linux 12 (bookworm)", "6.6.51+rpt-rpi-2712", "aarch64"),
            8 * GIB,
        ),
        bandwidth=14e9, compute=0.19e12, room=6 * GIB, host_bandwidth=14e9, spread=0.014,
        has_share=0.2, busy=0.5, labels=("lab", "cpu only"), old_agent=True,
    ),
    Machine(
        "tower",
        Hardware(
            _cpu("Intel(R) Core(TM) i7-8700K CPU @ 3.70GHz", 6, 12, 4700),
            _linux("Linux Mint 22", "6.8.0-51-generic"),
            32 * GIB,
            _gpus(1, "NVIDIA GeForce GTX 1080 Ti", "nvidia", 11 * GIB, "535.216.01", 250),
        ),
        bandwidth=430e9, compute=10e12, room=10 * GIB, host_bandwidth=38e9, spread=0.011, watts=(11, 215),
        has_share=0.24, busy=0.8, labels=("lab",), state="full",
    ),
)  # fmt: skip

# release → from which share of the time on, and what it does to decoding and to prefill
OLLAMA: tuple[tuple[str, float, float, float], ...] = (
    ("0.17.4", -9.0, 1.0, 1.0),
    ("0.19.0", 0.22, 1.035, 1.05),
    ("0.21.1", 0.47, 0.955, 1.04),  # a release that made decoding slower
    ("0.22.0", 0.58, 1.04, 1.06),
    ("0.24.0", 0.84, 1.085, 1.12),
)


def fleet(count: int) -> Sequence[Machine]:
    """So many machines: the twelve, then more of the same kinds, `forge-2` and on."""
    return [
        one if i < len(FLEET) else replace(one, name=f"{one.name}-{i // len(FLEET) + 1}")
        for i, one in ((i, FLEET[i % len(FLEET)]) for i in range(count))
    ]


def release_at(machine: Machine, share: float, days: float) -> tuple[str, float, float]:
    """Ollama's version on this machine at a share of all `days`, with its factors of decoding and prefill."""
    lag = machine.lag_days / days
    found = [release for release in OLLAMA if release[1] + lag <= share]
    version, _, decode, prefill = found[-1]
    return version, decode, prefill


def gear_at(machine: Machine, share: float) -> Hardware:
    """Its hardware then: the driver may have been another one."""
    if machine.driver_from is None or share < machine.driver_from[0]:
        return machine.gear
    gpus = [replace(gpu, driver_version=machine.driver_from[1]) for gpu in machine.gear.gpus]
    return replace(machine.gear, gpus=gpus)
