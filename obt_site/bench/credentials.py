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
    """One row: the check beside the read, and the verb with both."""
    with alone.database() as address:
        import django  # noqa: PLC0415  (settings are read when first imported)

        django.setup()
        from obt_site import indexes, mongo  # noqa: PLC0415

        mongo.connect(address)
        indexes.ensure()
        yield compared(*measure(TIMES_QUICK if settings.quick else TIMES))


def measure(times: int) -> tuple[float, float]:
    """Medians in ms, of a credential among those of many machines: the check of a client that was read, and the whole
    verb with its read."""
    from agents import credentials  # noqa: PLC0415
    from agents.documents import Client  # noqa: PLC0415
    from obt_site.clock import now  # noqa: PLC0415

    issued = [credentials.issue() for _ in range(MACHINES)]
    for number, each in enumerate(issued):
        Client(name=f"bench-{number}", **each.stored(now())).save(force_insert=True)
    text = f"Bearer {issued[MACHINES // 2].text}"

    client = credentials.authenticate(text, "ollama")

    def check() -> None:
        _, secret = credentials.read_header(text)
        credentials.check(client, credentials.keyed_hash(secret))

    def whole() -> None:
        credentials.authenticate(text, "ollama")

    checks, wholes = [], []
    for _ in range(times):
        checks.append(_took_ms(check))
        wholes.append(_took_ms(whole))
    return median(checks), median(wholes)


def _took_ms(act: Callable[[], None]) -> float:
    begun = time.perf_counter()
    act()
    return (time.perf_counter() - begun) * 1000


def compared(check_ms: float, whole_ms: float) -> Row:
    """The row. The read is told beside it: that is the database's, and what makes revoking act at once."""
    return Row(
        "checking a credential",
        f"of a client that was read, among {MACHINES}; and the verb with its read",
        f"less than {MOST_MS} ms beside the read",
        f"{check_ms:.3f} ms; with the read {whole_ms:.2f} ms",
        check_ms < MOST_MS,
        {"check_ms": check_ms, "whole_ms": whole_ms},
    )
