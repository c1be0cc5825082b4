"""A report per result as the result's page offers it, one after the other."""

from collections.abc import Iterable, Iterator

from benchmarks.documents import Result
from benchmarks.presenters.result import result_view
from benchmarks.presenters.result_exports import markdown


def reports(results: Iterable[Result]) -> Iterator[str]:
    """Hardware, versions, numbers and validity of each result."""
    before = ""
    for result in results:
        yield before + markdown(result_view(result, None))
        before = "\n---\n\n"
    if not before:
        yield "No result fits these filters.\n"
