"""The pages and files of the audit, for administrators. Nothing here changes an entry; undoing makes another one."""

from collections.abc import Iterator

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from obt_site.access import Role, requires
from obt_site.asked import Asked
from obt_site.audit import AuditEntry
from obt_site.auditing import export, log, undo
from obt_site.auditing.page import audit_page, entry_view, read_filters
from obt_site.errors import Invalid


@require_safe
@requires(Role.ADMIN)
def audit(request: HttpRequest) -> HttpResponse:
    """Who did what, newest first."""
    return render(request, "audit/audit.html", {"place": "audit", "page": audit_page(Asked(request.GET))})


@require_safe
@requires(Role.ADMIN)
def entry(request: HttpRequest, number: int) -> HttpResponse:
    """One change: who, when, from where, and what differs."""
    return render(request, "audit/entry.html", {"place": "audit", "view": entry_view(log.find(number))})


@require_POST
@requires(Role.ADMIN)
def undo_entry(request: HttpRequest, number: int) -> HttpResponse:
    """Take one change back."""
    found = log.find(number)
    undo.undo(found)
    messages.success(request, f"Taken back: {found.words}.")
    return redirect("audit_entry", number=number)


@require_safe
@requires(Role.ADMIN)
def audit_csv(request: HttpRequest) -> StreamingHttpResponse:
    """Every entry under the same filters as CSV, not only those of a page."""
    return _file(export.csv_lines(_asked(request)), "text/csv; charset=utf-8", "csv")


@require_safe
@requires(Role.ADMIN)
def audit_jsonl(request: HttpRequest) -> StreamingHttpResponse:
    """The same as JSON Lines."""
    return _file(export.jsonl(_asked(request)), "application/x-ndjson; charset=utf-8", "jsonl")


def _asked(request: HttpRequest) -> Iterator[AuditEntry]:
    """The entries that were asked for; a file never has more than that, so what makes no sense is refused."""
    query = Asked(request.GET)
    filters = read_filters(query)
    if query.ignored:
        raise Invalid(" ".join(query.ignored))
    return log.every(filters)


def _file(lines: Iterator[str], kind: str, ending: str) -> StreamingHttpResponse:
    response = StreamingHttpResponse(lines, content_type=kind)
    response["Content-Disposition"] = f'attachment; filename="obt-audit.{ending}"'
    return response
