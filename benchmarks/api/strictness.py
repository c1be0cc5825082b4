"""What callers may send: strict JSON bodies, and only the query parameters a call has, each once."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.http import HttpRequest
from ninja.operation import Operation
from ninja.parser import Parser

from agent.obt_agent import wire
from obt_site.errors import FieldError, Invalid, WrongMediaType

NAME_SHOWN = 60  # characters of an unknown parameter's name that are said back
PARAMETERS_MAXIMUM = 20


class StrictParser(Parser):
    """JSON as the agent's wire takes it: no NaN, no key twice, no depth without end."""

    def parse_body(self, request: HttpRequest) -> dict[str, Any]:
        """Raises WrongMediaType or WireError, which ninja wraps in its own error."""
        if request.content_type != "application/json":
            raise WrongMediaType("Send the body as application/json.")
        return wire.loads(request.body)  # type: ignore[no-any-return]


def known_parameters_only(view: Callable[..., Any]) -> Callable[..., Any]:
    """Around every route, after its caller is known: `client[$ne]=` and the like are no parameters of any call."""

    @wraps(view)
    def checked(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        problems = _problems(request, _parameters(view._ninja_operation))  # type: ignore[attr-defined]
        if problems:
            raise Invalid(f"{problems[0].field}: {problems[0].message}.", problems)
        return view(request, *args, **kwargs)

    return checked


def _parameters(operation: Operation) -> set[str]:
    """The names of the query parameters of a call."""
    sources = [model for model in operation.models if model.__ninja_param_source__ == "query"]
    return {name for model in sources for name in model.__ninja_flatten_map__}  # type: ignore[attr-defined]


def _problems(request: HttpRequest, known: set[str]) -> list[FieldError]:
    problems = []
    for name, values in list(request.GET.lists())[:PARAMETERS_MAXIMUM]:
        if name not in known:
            says = f"is not a parameter of this call; it takes {', '.join(sorted(known)) or 'none'}"
            problems.append(FieldError(name[:NAME_SHOWN], says))
        elif len(values) > 1:
            problems.append(FieldError(name, "is given more than once"))
    return problems
