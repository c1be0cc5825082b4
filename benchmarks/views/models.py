"""The models page: choose models on machines."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_POST, require_safe

from benchmarks import suites
from benchmarks.presenters import as_api
from benchmarks.presenters.estimate import estimate
from benchmarks.presenters.matrix import matrix
from benchmarks.presenters.matrix_metrics import METRICS
from benchmarks.presenters.matrix_query import SIZES, SORTS, TESTED
from benchmarks.presenters.plan_words import BUDGET_WORDS
from benchmarks.views.picks import picks_of
from obt_site.access import Role, requires
from obt_site.asked import Asked


@require_safe
@requires(Role.VIEWER, public=True)
def models(request: HttpRequest) -> HttpResponse:
    """Models × machines under the filters of the address."""
    shown = matrix(Asked(request.GET), request.GET.getlist("pick"))
    context = {
        "place": "models",
        "matrix": shown,
        "query": shown.query,
        "as_api": as_api.of_models(shown.query),
        "metrics": METRICS,
        "sizes": SIZES,
        "sorts": SORTS,
        "tested": TESTED,
        "budgets": [(name, BUDGET_WORDS[name], seconds) for name, seconds in suites.BUDGETS_S.items()],
    }
    answer = render(request, "benchmarks/models.html", context)
    if request.htmx:  # type: ignore[attr-defined]
        answer["HX-Replace-Url"] = request.path + shown.query.address.removesuffix("?")  # without what is empty
    return answer


@require_POST
@requires(Role.OPERATOR)
def models_estimate(request: HttpRequest) -> HttpResponse:
    """What the ticked cells would take: the part of the bar that follows them."""
    found = estimate(picks_of(request.POST), request.POST.get("budget") or "")
    return render(request, "benchmarks/_estimate.html", {"estimate": found})
