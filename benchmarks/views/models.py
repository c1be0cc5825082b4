"""The models page: choose models on machines."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from benchmarks import suites
from benchmarks.presenters.matrix import TESTED, Filters, matrix
from benchmarks.presenters.planning import BUDGET_WORDS
from obt_site.access import Role, requires


@require_safe
@requires(Role.VIEWER)
def models(request: HttpRequest) -> HttpResponse:
    """Models × machines under the filters of the address."""
    shown = matrix(Filters.read(request.GET), request.GET.getlist("pick"))
    context = {
        "place": "models",
        "matrix": shown,
        "tested": TESTED,
        "budgets": [(name, BUDGET_WORDS[name], seconds) for name, seconds in suites.BUDGETS_S.items()],
    }
    return render(request, "benchmarks/models.html", context)
