"""The pages of every section of the data: index, list, one document, one action. Views parse, call, render."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, cast
from urllib.parse import urlencode

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from obt_site.admin.documents import Asked, DocumentAdmin, Filter, Input
from obt_site.admin_site import ObtAdminSite
from obt_site.errors import FieldError, Invalid, Refusal

LONGEST_WORDS = 200
NOT_A_FIELD = ("csrfmiddlewaretoken",)
site = cast("ObtAdminSite", admin.site)


@require_safe
def index(request: HttpRequest) -> HttpResponse:
    """The sections of the data."""
    context = {**site.each_context(request), "title": "Data", "app_list": [site.data_app()], "app_label": "documents"}
    return render(request, "admin/app_index.html", context)


@require_safe
def document_list(request: HttpRequest, slug: str) -> HttpResponse:
    """A section's documents, newest or by name, a page at a time."""
    section = site.section(slug)
    asked = _asked(request, section)
    page, columns = section.page(asked), section.columns()
    kept = {name: value for name, value in (("q", asked.search), *dict(asked.chosen).items()) if value}
    context = {
        **_around(request, section, section.plural),
        "words": [column.word for column in columns],
        "rows": [
            (_url(section, one), [_shown(column.value(one)) for column in columns]) for one in page.items
        ],
        "search": asked.search,
        "filters": [_filter(each, asked) for each in section.filters()],
        "is_filtered": bool(kept),
        "is_first": asked.cursor is None,
        "first_url": f"?{urlencode(kept)}",
        "next_url": f"?{urlencode({**kept, 'cursor': page.next})}" if page.next else None,
    }  # fmt: skip
    return render(request, "admin/documents/list.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
def document(request: HttpRequest, slug: str, identity: str) -> HttpResponse:
    """One document; a post corrects what may be corrected."""
    section = site.section(slug)
    found = section.find(identity)
    fields = section.inputs(found)
    if request.method != "POST":
        return _document(request, section, found, section.values(found))
    typed = _typed(request, fields)
    try:
        section.correct(found, typed)
    except Refusal as refusal:
        return _document(request, section, found, typed, refusal)
    messages.success(request, f"{section.name.capitalize()} corrected.")
    return redirect("admin:documents_one", slug=slug, identity=identity)


@require_http_methods(["GET", "HEAD", "POST"])
def action(request: HttpRequest, slug: str, identity: str, name: str) -> HttpResponse:
    """What an action does, counted, as a question; by POST it is done."""
    section = site.section(slug)
    found = section.find(identity)
    asked = section.action(found, name)
    fields = asked.inputs(found)
    typed = _typed(request, fields) if request.method == "POST" else {}
    refused: Refusal | None = None
    if request.method == "POST":
        try:
            messages.success(request, asked.do(found, typed))
        except Refusal as refusal:
            refused = refusal
        else:
            if asked.leaves:
                return redirect("admin:documents_list", slug=slug)
            return redirect("admin:documents_one", slug=slug, identity=identity)
    counts: Mapping[str, int] = {}
    try:
        counts = asked.preview(found) if asked.preview else {}
    except Refusal as refusal:
        refused = refused or refusal
    context = {
        **_around(request, section, asked.word.rstrip("…")),
        "found": section.title(found),
        "found_url": _url(section, found),
        "action": asked,
        "counts": counts,
        "has_counts": asked.preview is not None and refused is None,
        "inputs": _inputs(fields, typed, refused),
        "refused": refused,
        "may_go_on": refused is None or bool(fields),
    }
    return render(request, "admin/documents/action.html", context, status=refused.status if refused else 200)


def _document(
    request: HttpRequest,
    section: DocumentAdmin[Any],
    found: Any,
    values: Mapping[str, str],
    refused: Refusal | None = None,
) -> HttpResponse:
    context = {
        **_around(request, section, section.title(found)),
        "url": section.url(found),
        "facts": [(name, _shown(value)) for name, value in section.facts(found)],
        "inputs": _inputs(section.inputs(found), values, refused),
        "refused": refused,
        "actions": [
            (each.word, reverse("admin:documents_action", args=[section.slug, section.identity(found), each.name]),
             each.destroys)
            for each in section.actions() if each.is_for(found)
        ],
        "audit_url": f"{reverse('audit')}?{urlencode({'about': section.changes_about(found)})}",
    }  # fmt: skip
    return render(request, "admin/documents/document.html", context, status=refused.status if refused else 200)


def _around(request: HttpRequest, section: DocumentAdmin[Any], title: str) -> dict[str, Any]:
    return {**site.each_context(request), "title": title, "section": section}


def _url(section: DocumentAdmin[Any], found: Any) -> str:
    return reverse("admin:documents_one", args=[section.slug, section.identity(found)])


def _asked(request: HttpRequest, section: DocumentAdmin[Any]) -> Asked:
    """What the address asks for; a value that a filter does not have is left out."""
    chosen: dict[str, str] = {}
    for each in section.filters():
        value = request.GET.get(each.name)
        if value and value in dict(each.choices()):
            chosen[each.name] = value
    search = request.GET.get("q", "").replace("\x00", "").strip()[:LONGEST_WORDS]
    return Asked(search, chosen, request.GET.get("cursor") or None)


def _filter(each: Filter, asked: Asked) -> dict[str, Any]:
    chosen = asked.value(each.name)
    options = [(value, word, value == chosen) for value, word in each.choices()]
    return {"name": each.name, "word": each.word, "options": options}


def _typed(request: HttpRequest, fields: Sequence[Input]) -> dict[str, str]:
    """What was typed into these fields. Anything else in the form is refused, and nothing is changed."""
    names = [each.name for each in fields]
    strangers = [name for name in request.POST if name not in names and name not in NOT_A_FIELD]
    if strangers:
        may = f"Only {', '.join(names)} can be corrected here" if names else "Nothing can be typed here"
        raise Invalid(f"{may}; “{strangers[0][:60]}” cannot. Nothing was changed.")
    typed = {each.name: request.POST.get(each.name, "") for each in fields}
    for each in fields:
        if each.choices and typed[each.name] and typed[each.name] not in dict(each.choices):
            raise Invalid(f"“{each.word}” has no such choice. Nothing was changed.")
    return typed


def _inputs(fields: Sequence[Input], values: Mapping[str, str], refused: Refusal | None) -> list[dict[str, Any]]:
    wrong: dict[str, str] = dict(FieldError(*each) for each in reversed(refused.errors)) if refused else {}
    return [{"field": each, "value": values.get(each.name, ""), "error": wrong.get(each.name)} for each in fields]


def _shown(value: Any) -> dict[str, Any]:
    """A value as the templates show it: a time, yes or no, a text, or something large that unfolds."""
    if isinstance(value, datetime):
        return {"time": value}
    if isinstance(value, bool):
        return {"text": "yes" if value else "no"}
    if value is None or value in ("", [], {}):
        return {}
    if isinstance(value, list | tuple | Mapping):
        return {"whole": json.dumps(value, default=str, indent=1, ensure_ascii=False)}
    return {"text": str(value)}
