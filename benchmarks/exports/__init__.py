"""Results as files, in our own flat formats and in those that people already have tools for. All of them are written
piece by piece, so that a file may be longer than memory.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from benchmarks.documents import Result
from benchmarks.exports import benchstat, flat, llama_bench, markdown


@dataclass(frozen=True)
class Format:
    """One kind of file: `write` makes its pieces of results as they come."""

    write: Callable[[Iterable[Result]], Iterator[str]]
    media_type: str
    suffix: str
    words: str


FORMATS: Mapping[str, Format] = {
    "csv": Format(flat.csv_lines, "text/csv", "csv", "a line per result and cell, every unit in its column's name"),
    "jsonl": Format(flat.json_lines, "application/jsonl", "jsonl", "the same rows, an object per line"),
    "json": Format(flat.json_array, "application/json", "json", "the same rows, as one array"),
    "markdown": Format(markdown.reports, "text/markdown", "md", "a report per result, to be pasted into an issue"),
    "benchstat": Format(benchstat.lines, "text/plain", "txt", "a line per sample, as Ollama's own bench prints them"),
    "llama-bench": Format(llama_bench.json_array, "application/json", "json", "as llama-bench -o json writes them"),
}
