"""What was ticked in a form: cell by cell, or everything that a filter leaves."""

from django.http import QueryDict

from benchmarks.presenters import matrix
from obt_site.asked import Asked


def picks_of(sent: QueryDict) -> list[str]:
    """`<client>:<model>`, each once. `match`: the filters of the models page, for all that they leave."""
    found = sent.getlist("pick")
    for filters in sent.getlist("match")[:1]:
        found = [*found, *matrix.picks(Asked(QueryDict(filters.removeprefix("?"))))]
    return list(dict.fromkeys(found))
