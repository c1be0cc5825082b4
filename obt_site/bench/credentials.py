"""What checking an agent's credential costs beside the read that every check is made of."""

import time
from collections.abc import Callable, Iterable
from statistics import median

from agent.bench.report import Row, Settings
from obt_site.bench import alone

MACHINES = 200
TIMES, TIMES_QUICK = 2000, 300
MOST_MS = 0.2


def rows(settings: Settings) -> Iterable[Row]:
    """One row: the check against the same read without it, in turns, so that both see the same machine."""
    with alone.database() as address:
        import django  # noqa: PLC0415  (settings are read when first imported)

        django.setup()
        from obt_site import indexes, mongo  # noqa: PLC0415

        mongo.connect(address)
        indexes.ensure()
        yield compared(*measure(TIMES_QUICK if settings.quick else TIMES))


def measure(times: int) -> tuple[float, float]:
    """Medians in ms: the read alone, and `authenticate`, of a credential among those of many machines."""
    from agents import credentials  # noqa: PLC0415
    from agents.documents import Client  # noqa: PLC0415
    from obt_site.clock import now  # noqa: PLC0415

    issued = [credentials.issue() for _ in range(MACHINES)]
    for number, each in enumerate(issued):
        Client(name=f"bench-{number}", **each.stored(now())).save(force_insert=True)
    text, identity = f"Bearer {issued[MACHINES // 2].text}", issued[MACHINES // 2].id

    def read() -> None:
        Client.objects(credential_id=identity).only(*credentials.FIELDS, "ollama").first()

    def check() -> None:
        credentials.authenticate(text, "ollama")

    reads, checks = [], []
    for _ in range(times):
        reads.append(_took_ms(read))
        checks.append(_took_ms(check))
    return median(reads), median(checks)


def _took_ms(act: Callable[[], None]) -> float:
    begun = time.perf_counter()
    act()
    return (time.perf_counter() - begun) * 1000


def compared(read_ms: float, check_ms: float) -> Row:
    """The row. The read is told beside it: that is the database's, and what makes revoking act at once."""
    beside_ms = max(0.0, check_ms - read_ms)
    return Row(
        "checking a credential",
        f"by its verb, among {MACHINES} machines, against the same read without the check",
        f"less than {MOST_MS} ms beside the read",
        f"{beside_ms:.3f} ms beside a read of {read_ms:.2f} ms",
        beside_ms < MOST_MS,
        {"read_ms": read_ms, "check_ms": check_ms},
    )
