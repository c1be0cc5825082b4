"""`/simulator/…`: ordering faults, reading what was asked, changing the models. For this machine only."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from .errors import OllamaError, bad_request
from .faults import KINDS, fault_from_json
from .models import spec_from_json
from .streaming import DEFAULT_DOWN_S
from .web import Exchange


def faults(exchange: Exchange) -> None:
    """GET /simulator/faults: those still to come, and the kinds there are."""
    exchange.send_json({"faults": exchange.world.faults.pending(), "kinds": KINDS})


def add_faults(exchange: Exchange) -> None:
    """POST /simulator/faults: one fault, a list of them, or {"faults": [...]}. All or none are taken."""
    value = _json(exchange)
    if isinstance(value, Mapping):
        value = value.get("faults", [value])
    if not isinstance(value, list):
        raise bad_request("expected a list of faults")
    exchange.world.faults.put([_refusing(fault_from_json, one) for one in value])
    faults(exchange)


def clear_faults(exchange: Exchange) -> None:
    """DELETE /simulator/faults."""
    exchange.world.faults.clear()
    faults(exchange)


def requests(exchange: Exchange) -> None:
    """GET /simulator/requests: what was asked, oldest first."""
    exchange.send_json({"requests": exchange.world.log.all()})


def clear_requests(exchange: Exchange) -> None:
    """DELETE /simulator/requests."""
    exchange.world.log.clear()
    requests(exchange)


def models(exchange: Exchange) -> None:
    """GET /simulator/models: the installed models with their speeds."""
    exchange.send_json({"models": [asdict(spec) for spec in exchange.world.models.all()]})


def change_models(exchange: Exchange) -> None:
    """POST /simulator/models: {"add": model}, {"remove": name}, or {"change": name, "to": {"digest": …, …}}."""
    value = _json(exchange)
    if not isinstance(value, Mapping) or len({"add", "remove", "change"} & set(value)) != 1:
        raise bad_request('expected {"add": model}, {"remove": name} or {"change": name, "to": {…}}')
    _refusing(lambda order: _apply(exchange, order), value)
    models(exchange)


def restart(exchange: Exchange) -> None:
    """POST /simulator/restart {"seconds": 1}: answers, then goes away for so long."""
    value = _json(exchange) if exchange.body.strip() else {}
    seconds = value.get("seconds", DEFAULT_DOWN_S) if isinstance(value, Mapping) else None
    if not isinstance(seconds, (int, float)) or isinstance(seconds, bool) or seconds < 0:
        raise bad_request("seconds must be a number, 0 or more")
    exchange.send_json({"status": "restarting"})
    exchange.restart_server(float(seconds))


def _apply(exchange: Exchange, order: Mapping[str, Any]) -> None:
    store = exchange.world.models
    if "add" in order:
        store.add(spec_from_json(order["add"]))
    elif "remove" in order:
        store.remove(str(order["remove"]))
    else:
        name, changes = str(order["change"]), dict(order.get("to") or {})
        spec_from_json({"name": name, **changes})
        store.change(name, **changes)


def _json(exchange: Exchange) -> Any:
    try:
        return json.loads(exchange.body)
    except (ValueError, RecursionError) as wrong:
        raise bad_request(f"not JSON: {wrong}") from wrong


def _refusing(make: Callable[[Any], Any], value: object) -> Any:
    """`make(value)`, with what it refuses as a 400."""
    try:
        return make(value)
    except OllamaError:
        raise
    except (ValueError, TypeError) as wrong:
        raise bad_request(str(wrong)) from wrong
