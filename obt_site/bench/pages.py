"""Weight of every page, and its time and questions to the database with little and with much stored."""

import gzip
import re
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

import pymongo.monitoring

from agent.bench.report import Row, Settings
from obt_site.bench import alone

if TYPE_CHECKING:
    from django.test import Client

FEW, MANY, MANY_QUICK = 100, 5000, 1500  # results
MACHINES, MODELS = 12, 300
TIMES, TIMES_QUICK = 15, 5
HEAVIEST_BYTES = 150_000
MOST_TIMES_AS_LONG = 1.5
WITHIN_MS = 5.0  # so little more is no slowness, whatever its ratio
CHART_LIBRARY = "uplot"
LISTS = ("/fleet", "/models", "/sessions", "/sessions/new", "/results")
_STATIC = re.compile(r'<(?:link|script)[^>]+(?:href|src)="(/static/[^"#]+\.(?:css|js))"')
_LINKED = re.compile(r'(?:href|src)="(/static/[^"#]+)')


@dataclass(frozen=True)
class Seen:
    """One page: the median of its times in ms, and how many questions it asked the database."""

    took_ms: float
    asked: int


class Questions(pymongo.monitoring.CommandListener):
    """Counts what is asked of the database."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()

    def started(self, event: pymongo.monitoring.CommandStartedEvent) -> None:
        self.asked[event.command_name] += 1

    def succeeded(self, event: pymongo.monitoring.CommandSucceededEvent) -> None:
        return

    def failed(self, event: pymongo.monitoring.CommandFailedEvent) -> None:
        return


def rows(settings: Settings) -> Iterable[Row]:
    """Weight first, then each list page with few and with many results."""
    questions = Questions()
    pymongo.monitoring.register(questions)
    with alone.browser() as browser:
        from benchmarks.demo.add import Asked, add  # noqa: PLC0415  (Django is ready only now)
        from benchmarks.demo.remove import remove  # noqa: PLC0415

        many = MANY_QUICK if settings.quick else MANY
        times = TIMES_QUICK if settings.quick else TIMES
        add(Asked(MACHINES, MODELS, FEW, whole=10))
        few = {path: look(browser, path, questions, times) for path in LISTS}
        remove()
        add(Asked(MACHINES, MODELS, many, whole=10))
        yield from weights(browser)
        for path in LISTS:
            yield compared(path, few[path], look(browser, path, questions, times), many)


def look(browser: "Client", path: str, questions: Questions, times: int) -> Seen:
    """Ask for the page so often, after once for what is kept in the process."""
    _get(browser, path)
    took = []
    for _ in range(times):
        questions.asked.clear()
        begun = time.perf_counter()
        _get(browser, path)
        took.append((time.perf_counter() - begun) * 1000)
    return Seen(median(took), questions.asked.total())


def _get(browser: "Client", path: str) -> str:
    answer = browser.get(path)
    if answer.status_code != 200:
        raise RuntimeError(f"{path} answered {answer.status_code}")
    return str(answer.content.decode())


def compared(path: str, few: Seen, many: Seen, results: int) -> Row:
    """The row of one list page."""
    ratio = many.took_ms / few.took_ms
    near = many.took_ms - few.took_ms < WITHIN_MS
    return Row(
        f"time of {path}",
        f"{results:,} results against {FEW}, {MODELS} models × {MACHINES} machines",
        f"at most {MOST_TIMES_AS_LONG} times as long, as many questions to the database",
        f"{many.took_ms:.0f} ms against {few.took_ms:.0f} ms: {ratio:.2f} times; {many.asked} questions, {few.asked}",
        (ratio <= MOST_TIMES_AS_LONG or near) and many.asked <= few.asked,
        {"few": vars(few), "many": vars(many), "ratio": ratio},
    )


def weights(browser: "Client") -> Iterator[Row]:
    """The heaviest page, and whether everything that pages link may be kept for ever."""
    sizes, passing = {}, []
    for path in LISTS:
        page = _get(browser, path)
        parts = {name: _squeezed(browser, name) for name in dict.fromkeys(_STATIC.findall(page))}
        own = sum(size for name, size in parts.items() if CHART_LIBRARY not in name.lower())
        sizes[path] = len(gzip.compress(page.encode())) + own
        passing += [name for name in _LINKED.findall(page) if not _kept(browser, name)]
    heaviest = max(sizes, key=lambda path: sizes[path])
    yield Row(
        "weight of a page",
        "HTML, CSS and JS by gzip, without the chart library",
        f"at most {HEAVIEST_BYTES // 1000} kB each",
        f"{sizes[heaviest] / 1000:.1f} kB ({heaviest}, the heaviest)",
        sizes[heaviest] <= HEAVIEST_BYTES,
        sizes,
    )
    yield Row(
        "files that pages load",
        "every address under /static/",
        "kept for ever, under hashed names",
        "all" if not passing else f"not: {', '.join(sorted(set(passing)))}",
        not passing,
    )


def _squeezed(browser: "Client", name: str) -> int:
    return len(browser.get(name, headers={"Accept-Encoding": "gzip"}).content)


def _kept(browser: "Client", name: str) -> bool:
    return "immutable" in browser.get(name).headers.get("Cache-Control", "")
