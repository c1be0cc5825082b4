"""The API call behind what a page shows: the same filters, as an address and as a line for the shell.

A page knows filters that the API does not, and the other way round; what could not be carried over is named.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote, urlencode

from django.urls import reverse

from benchmarks.documents import Result
from benchmarks.explore import Filters
from benchmarks.listing import SessionFilters
from benchmarks.presenters.fleet_query import FleetQuery
from benchmarks.presenters.matrix_query import Query as MatrixQuery
from benchmarks.presenters.results_query import Query as ResultsQuery
from obt_site.formatting import iso

LINE = 'curl -H "Authorization: Bearer $OBT_TOKEN" "$OBT_URL{url}"'
MODEL_SORTS = ("name", "size", "-size")
RENAMED = {"ollama": "ollama_version"}


@dataclass(frozen=True)
class Call:
    """One call: what it gives, its address on this server, and the line that makes it."""

    words: str
    url: str

    @property
    def line(self) -> str:
        """For a shell that knows OBT_URL and OBT_TOKEN. Addresses are encoded: nothing in them is the shell's."""
        return LINE.format(url=self.url)


@dataclass(frozen=True)
class AsApi:
    """What the panel shows. `left_out`: filters of the page that the calls do not have."""

    calls: Sequence[Call]
    left_out: Sequence[str] = ()


def _call(words: str, path: str, query: Mapping[str, str | None] | None = None) -> Call:
    asked = {name: value for name, value in (query or {}).items() if value}
    return Call(words, f"{path}?{urlencode(asked, quote_via=quote)}" if asked else path)


def of_fleet(query: FleetQuery) -> AsApi:
    """The machines."""
    state = "offline" if query.show == "offline" else None
    words = {"os": query.system, "gpu": query.gpu, "show": query.show if query.show not in ("all", "offline") else None}
    asked = {"state": state, "label": query.label, "search": query.search}
    return AsApi([_call("The machines", reverse("api:list_clients"), asked)], _named(words))


def of_models(query: MatrixQuery) -> AsApi:
    """The models."""
    several = len(query.clients) > 1
    asked = {
        "search": query.q,
        "family": query.family,
        "quantization": query.quantization,
        "capability": query.capability,
        "client": query.clients[0] if len(query.clients) == 1 else None,
        "sort": query.sort if query.sort in MODEL_SORTS else None,
    }
    words = {"size": query.size, "label": query.label, "tested": query.tested, "client": "several" if several else None}
    left_out = _named({**words, "differs": "1" if query.differs else None})
    return AsApi([_call("The models", reverse("api:list_models"), asked)], left_out)


def of_results(query: ResultsQuery) -> AsApi:
    """The results under these filters, as a list and as a file."""
    asked, left_out = _result_filters(query.filters)
    export = {**asked, "format": "csv"}
    return AsApi(
        [
            _call("The results, newest first", reverse("api:list_results"), asked),
            _call("The same as a file", reverse("api:export_results"), export),
        ],
        left_out,
    )


def _result_filters(filters: Filters) -> tuple[dict[str, str | None], list[str]]:
    single = {
        RENAMED.get(name, name): next(iter(values)) for name, values in filters.chosen.items() if len(values) == 1
    }
    asked: dict[str, str | None] = {
        **single,
        "cell": filters.cell,
        "simulated": filters.simulated,
        "since": iso(filters.since) if filters.since else None,
        "until": iso(filters.until) if filters.until else None,
        "result": ",".join(sorted(filters.results)),
    }
    if filters.any_outcome:
        asked["outcome"] = "any"
    several = {name: "several" for name, values in filters.chosen.items() if len(values) > 1}
    return asked, _named({**several, "q": filters.search})


def of_result(result: Result) -> AsApi:
    """One result and what it was made of."""
    return AsApi(
        [
            _call("This result", reverse("api:get_result", args=[result.id])),
            _call("Its raw samples", reverse("api:get_samples", args=[result.id])),
            _call("Its telemetry", reverse("api:get_telemetry", args=[result.id])),
        ]
    )


def of_session(session_id: str) -> AsApi:
    """One session with its jobs, and what it measured."""
    results = {"session": session_id}
    return AsApi(
        [
            _call("This session and its jobs", reverse("api:get_session", args=[session_id])),
            _call("Its results", reverse("api:list_results"), results),
        ]
    )


def of_sessions(filters: SessionFilters) -> AsApi:
    """The sessions under these filters."""
    asked = {
        "state": ",".join(sorted(filters.states)),
        "paused": None if filters.paused is None else str(filters.paused).lower(),
        "created_by": filters.by,
        "client": filters.client,
        "search": filters.search,
    }
    return AsApi([_call("The sessions, newest first", reverse("api:list_sessions"), asked)])


def of_compare(url: str | None) -> AsApi | None:
    """The comparison of two sides; one against many is several calls, which the page does not spell out."""
    return None if url is None else AsApi([Call("This comparison", url)])


def _named(filters: Mapping[str, str | None]) -> list[str]:
    return [name for name, value in filters.items() if value]
