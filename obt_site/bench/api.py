"""Lists by the API against the verbs they call, on the same data in the same process."""

import time
from collections.abc import Callable, Iterable, Sequence
from statistics import median
from typing import TYPE_CHECKING, Any

from agent.bench.report import Row, Settings
from obt_site.bench import alone

if TYPE_CHECKING:
    from django.test import Client

MACHINES, MODELS = 12, 300
RESULTS, RESULTS_QUICK = 1000, 200
TIMES, TIMES_QUICK = 40, 10
LIMIT = 50
MOST_TIMES_THE_VERB = 1.3
Call = Callable[[], object]


def rows(settings: Settings) -> Iterable[Row]:
    """A row per list."""
    with alone.browser() as browser:
        from benchmarks.demo.add import Asked, add  # noqa: PLC0415  (Django is ready only now)

        add(Asked(MACHINES, MODELS, RESULTS_QUICK if settings.quick else RESULTS, whole=10))
        times = TIMES_QUICK if settings.quick else TIMES
        headers = _token()
        for path, verb in verbs():
            api_ms, verb_ms = in_turns(lambda path=path: _get(browser, path, headers), verb, times)  # type: ignore[misc]
            yield row(path, api_ms, verb_ms)


def verbs() -> Sequence[tuple[str, Call]]:
    """Each list's address, and the verb behind it with what it reads."""
    from agents.documents import Client, HardwareConfig  # noqa: PLC0415
    from benchmarks import catalogue, listing  # noqa: PLC0415

    def machines() -> object:
        found = list(Client.objects.order_by("name").limit(LIMIT + 1))
        return found, list(HardwareConfig.objects(id__in=[one.hardware_config for one in found]))

    def sessions() -> object:
        from benchmarks.documents import Job  # noqa: PLC0415

        found = listing.sessions(None, LIMIT).items
        return found, list(Job.objects(session__in=[one.id for one in found]))

    return (
        (f"clients?limit={LIMIT}", machines),
        (f"models?limit={LIMIT}", lambda: catalogue.rows(catalogue.ModelFilters(), "name")),
        (f"sessions?limit={LIMIT}", sessions),
        (f"results?limit={LIMIT}", lambda: listing.results(listing.ResultFilters(), None, LIMIT)),
        (f"events?limit={LIMIT}", lambda: listing.events(None, LIMIT)),
    )


def in_turns(one: Call, other: Call, times: int) -> tuple[float, float]:
    """The medians of both in ms, asked by turns so that whatever else the machine does falls on both."""
    took: tuple[list[float], list[float]] = ([], [])
    one(), other()  # what is kept in the process
    for _ in range(times):
        for call, all_of_it in zip((one, other), took, strict=True):
            begun = time.perf_counter()
            call()
            all_of_it.append((time.perf_counter() - begun) * 1000)
    return median(took[0]), median(took[1])


def row(path: str, api_ms: float, verb_ms: float) -> Row:
    """The row of one list."""
    ratio = api_ms / verb_ms
    return Row(
        f"API: {path.partition('?')[0]}",
        f"{LIMIT} items, in one process, by turns with the verb",
        f"at most {MOST_TIMES_THE_VERB} times the verb's time",
        f"{api_ms:.1f} ms against {verb_ms:.1f} ms: {ratio:.2f} times",
        ratio <= MOST_TIMES_THE_VERB,
        {"api_ms": api_ms, "verb_ms": verb_ms, "ratio": ratio},
    )


def _token() -> dict[str, str]:
    from obt_site.access import Role  # noqa: PLC0415
    from obt_site.tokens import create_token  # noqa: PLC0415

    return {"Authorization": f"Bearer {create_token('bench', Role.VIEWER)}"}


def _get(browser: "Client", path: str, headers: dict[str, Any]) -> None:
    answer = browser.get(f"/api/v1/{path}", headers=headers)
    if answer.status_code != 200:
        raise RuntimeError(f"{path} answered {answer.status_code}")
