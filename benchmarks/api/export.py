"""Results as a file, streamed: the same filters as the list, in formats that people have tools for."""

from typing import Any, Literal

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from ninja import Query as FromQuery
from ninja import Router
from pydantic import Field

from benchmarks import listing
from benchmarks.api.callers import open_to
from benchmarks.api.results import ResultFilterQuery, filters
from benchmarks.exports import FORMATS
from obt_site.access import Role
from obt_site.ceilings import more
from obt_site.errors import Invalid
from obt_site.streamed import download

router = Router(tags=["results"])
FormatName = Literal["csv", "jsonl", "json", "markdown", "benchstat", "llama-bench"]


def _opened() -> dict[str, Any]:
    """Open to viewers, with the media types of the files."""
    kinds = {
        each.media_type: "array" if each.media_type == "application/json" else "string" for each in FORMATS.values()
    }
    content = {media_type: {"schema": {"type": kind}} for media_type, kind in kinds.items()}
    opened = open_to(Role.VIEWER, None)
    opened["openapi_extra"]["responses"] = {200: {"description": "The file", "content": content}}
    return opened


class ExportQuery(ResultFilterQuery):
    """The filters of `results`, and what kind of file."""

    format: FormatName = Field("csv", description="; ".join(f"{name}: {each.words}" for name, each in FORMATS.items()))


@router.get("/results/export", **_opened())
def export_results(request: HttpRequest, query: FromQuery[ExportQuery]) -> HttpResponseBase:
    """Every result that fits, as a file that is streamed, newest first; refused when there are too many for one."""
    chosen = FORMATS[query.format]
    pieces = chosen.write(listing.results_of(_ids(query)))
    return download(request, pieces, f"{chosen.media_type}; charset=utf-8", f"obt-results.{chosen.suffix}")


def _ids(query: ExportQuery) -> list[str]:
    """The results of one file; raises Invalid when they are more than it may have."""
    most = settings.EXPORT_RESULTS_MAXIMUM
    ids = listing.result_ids(filters(query), most + 1)
    if len(ids) > most:
        rule = "One file has at most {} results, and these are more"
        raise Invalid(more(rule, most, "Filter them", "OBT_RESULTS_PER_EXPORT"))
    return ids
