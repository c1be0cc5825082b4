"""A small world for tests, made by the real verbs: machines with models, sessions, running jobs, delivered results.

Three machines are enough for most: `forge` (fast, the subject), `atlas` (another, whose jobs are not forge's) and one
that never reported. Everything goes through registration, sync, progress and result as an agent would send them.
"""

from collections.abc import Sequence
from dataclasses import replace

from agent.obt_agent import contract, wire
from agents import enrolment, hardware, verbs
from agents.documents import Client
from benchmarks import progress, queue, results, sessions
from benchmarks.documents import Job, Result, Session
from obt_site.clock import now

GIB = 1024**3
MODELS = ("llama3.2:3b", "qwen3:8b", "gemma3:4b")
CELLS = ("load", "pp512", "tg128", "chat512/128")  # of the standard suite, one of each kind that most tests look at
HARDWARE = contract.Hardware(
    cpu=contract.Cpu(model="AMD Ryzen 9 7950X", physical_cores=16, logical_cores=32),
    os=contract.OperatingSystem(system="Linux", name="Ubuntu 24.04", kernel="6.8.0", architecture="x86_64"),
    memory_total_bytes=64 * GIB,
    gpus=[contract.Gpu(0, "NVIDIA GeForce RTX 4090", "nvidia", 24 * GIB, "570.86.16")],
)
READING = contract.HostReading(
    cpu_percent=12.5,
    memory_used_bytes=8 * GIB,
    memory_total_bytes=64 * GIB,
    disk_free_bytes=500 * GIB,
    gpus=[contract.GpuReading(0, 97.0, 11 * GIB, 24 * GIB, 67.0, 312.0, 2610.0)],
)


def register(name: str = "forge") -> tuple[Client, str]:
    """A machine that has registered and not reported yet; the client and its credential."""
    token, _ = enrolment.create_token()
    answer = enrolment.register(contract.RegisterRequest(token, name, "0.1.0", contract.PROTOCOL))
    return verbs.find(answer.client), answer.credential


def model(name: str, digest: str | None = None, **fields: object) -> contract.InstalledModel:
    known = {
        "size_bytes": 2 * GIB,
        "family": name.split(":")[0],
        "format": "gguf",
        "parameter_size": "3.2B",
        "quantization": "Q4_K_M",
        "capabilities": ["completion"],
        "context_length": 131072,
    }
    return contract.InstalledModel(name=name, digest=digest or f"digest-of-{name}", **{**known, **fields})  # type: ignore[arg-type]


def sync_request(**fields: object) -> contract.SyncRequest:
    """What an idle agent with a reachable Ollama sends; `fields` replace parts of it."""
    request = contract.SyncRequest(
        protocol=contract.PROTOCOL,
        agent_version="0.1.0",
        boot_id="boot-1",
        ollama=contract.OllamaState("http://127.0.0.1:11434", reachable=True, version="0.24.0", local=True),
        slots=1,
        reading=READING,
        hostname="forge",
        hold_s=0.0,
    )
    return replace(request, **fields)  # type: ignore[arg-type]


def machine(
    name: str = "forge",
    models: Sequence[str] = MODELS,
    simulated: bool = False,
    gear: contract.Hardware = HARDWARE,
) -> Client:
    """A machine that is online with these models."""
    client, _ = register(name)
    version = "0.24.0-simulator" if simulated else "0.24.0"
    state = contract.OllamaState("http://127.0.0.1:11434", True, version, simulated=simulated, local=True)
    request = sync_request(
        ollama=state,
        hostname=name,
        hardware=gear,
        hardware_hash=hardware.content_hash(gear),
        models=[model(each) for each in models],
        models_hash="models-1",
    )
    verbs.take_in(client, request)
    return verbs.find(str(client.id))


def session(client: Client, *models: str, budget: str = "quick", cells: Sequence[str] | None = None) -> Session:
    """A session over these models (all of the world's first two by default) of one machine."""
    targets = [sessions.Target(str(client.id), name) for name in models or MODELS[:2]]
    return sessions.start(targets, "standard", budget, "jo", cells=cells or CELLS)


def sync(client: Client, holding: Sequence[contract.Holding] = (), slots: int = 1) -> queue.Work:
    """One sync as the server sees it, without HTTP: what is held in, work out."""
    arrived_at = now()
    verbs.take_in(client, sync_request(slots=slots, holding=list(holding)))
    return queue.exchange(verbs.find(str(client.id)), holding, slots, arrived_at)


def hold(offer: contract.JobOffer) -> contract.Holding:
    return contract.Holding(offer.job, offer.attempt, offer.lease)


def acknowledge(client: Client, offer: contract.JobOffer) -> Job:
    """The agent's first report: the job runs now."""
    report(client, offer, contract.Event(seq=1, kind="started", elapsed_s=0.0))
    return sessions.find_job(offer.job)


def report(client: Client, offer: contract.JobOffer, *events: contract.Event) -> contract.ProgressResponse:
    return progress.apply(client, offer.job, contract.ProgressRequest(offer.attempt, offer.lease, list(events)))


def running(client: Client, *models: str, cells: Sequence[str] | None = None) -> contract.JobOffer:
    """A session whose first job runs on the machine; its offer."""
    session(client, *models, cells=cells)
    (offer,) = sync(client).jobs
    acknowledge(client, offer)
    return offer


def sample(
    spec: contract.CellSpec, index: int, rate: float = 100.0, warmup: bool = False, slot: int | None = None
) -> contract.Sample:
    """A valid sample whose decode rate is exactly `rate` tok/s and prefill ten times that, give or take `index`."""
    rate = rate * (1 + index / 1000)
    output, prompt = spec.output_tokens, max((spec.depth + spec.prompt_tokens) * spec.batch, 1)
    decode_ns = round((output - 1) / rate * 1e9) if output > 1 else None
    prompt_ns = round(prompt / (10 * rate) * 1e9)
    load_ns = 2_000_000_000 + index * 1_000_000 if spec.kind == "load" else 20_000_000
    total = load_ns + prompt_ns + (decode_ns or 0) + 1_000_000
    raw = contract.RawCounters(
        total, load_ns, prompt, None, prompt_ns, output, decode_ns, True, "length", "2026-01-31T12:00:00Z"
    )
    ttft = load_ns + prompt_ns + 500_000
    step = (decode_ns or 0) // max(output - 1, 1)
    timing = contract.Timing(
        start_s=float(index),
        ttft_ns=ttft,
        ttfo_ns=ttft,
        last_token_ns=ttft + (decode_ns or 0),
        e2e_ns=total + 1_500_000,
        chunk_ns=[ttft + i * step for i in range(output)],
    )
    text = contract.Prompt(prompt, prompt * 4, "0" * 64, f"nonce{index}") if prompt > 1 else None
    where = contract.Placement(2 * GIB, 2 * GIB)
    return contract.Sample(spec.name, index, warmup, raw, timing, text, where, loaded_models=1, slot=slot)


def run_of(spec: contract.CellSpec, rate: float = 100.0) -> contract.CellRun:
    slots = range(spec.concurrency) if spec.kind == "concurrency" else [None]
    warm = [sample(spec, i, rate, True, slot) for i in range(spec.warmups) for slot in slots]
    measured = [sample(spec, i, rate, False, slot) for i in range(spec.repetitions) for slot in slots]
    return contract.CellRun(spec, [*warm, *measured])


def body(
    offer: contract.JobOffer, rate: float = 100.0, simulated: bool = False, **fields: object
) -> contract.ResultBody:
    """A whole result for an offer: every cell with its samples, environment and a little telemetry."""
    version = "0.24.0-simulator" if simulated else "0.24.0"
    environment = contract.RunEnvironment(
        ollama=contract.OllamaState("http://127.0.0.1:11434", True, version, simulated=simulated, local=True),
        model=model(offer.model, offer.digest),
        hardware=HARDWARE,
        options=offer.options,
        agent_version="0.1.0",
    )
    telemetry = contract.Telemetry(
        interval_ms=200,
        t_s=[i / 5 for i in range(50)],
        series=[contract.Series("cpu_percent", "%", [20.0 + i % 7 for i in range(50)])],
        phases=[contract.Phase(offer.cells[0].name, "sample", 0.0, 9.8, 0)],
        missing={"gpu_0_power_w": "the driver does not say"},
        of_this_machine=True,
    )
    whole = contract.ResultBody(
        offer.attempt,
        offer.lease,
        "succeeded",
        duration_s=42.0,
        cells=[run_of(spec, rate) for spec in offer.cells],
        environment=environment,
        telemetry=telemetry,
    )
    return replace(whole, **fields)  # type: ignore[arg-type]


def deliver(client: Client, offer: contract.JobOffer, sent: contract.ResultBody | None = None) -> Result:
    """The agent's result arrives."""
    sent = sent or body(offer)
    stored, _ = results.store(client, offer.job, sent, wire.dumps(sent))
    return stored


def result(client: Client, name: str = MODELS[0], rate: float = 100.0, simulated: bool = False) -> Result:
    """A finished session of one model, and its result."""
    offer = running(client, name)
    return deliver(client, offer, body(offer, rate, simulated))
