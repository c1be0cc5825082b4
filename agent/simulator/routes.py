"""Which path is answered by what."""

from __future__ import annotations

import ipaddress

from . import catalogue, control, inference
from .errors import OllamaError
from .web import Endpoint, Exchange, Routes

OLLAMA: Routes = {
    ("GET", "/"): catalogue.root,
    ("GET", "/api/version"): catalogue.version,
    ("GET", "/api/tags"): catalogue.tags,
    ("GET", "/api/ps"): catalogue.running,
    ("POST", "/api/show"): catalogue.show,
    ("POST", "/api/pull"): catalogue.pull,
    ("POST", "/api/copy"): catalogue.copy,
    ("POST", "/api/create"): catalogue.create,
    ("DELETE", "/api/delete"): catalogue.delete,
    ("POST", "/api/generate"): inference.generate,
    ("POST", "/api/chat"): inference.chat,
    ("POST", "/api/embed"): inference.embed,
}

CONTROL: Routes = {
    ("GET", "/simulator/faults"): control.faults,
    ("POST", "/simulator/faults"): control.add_faults,
    ("DELETE", "/simulator/faults"): control.clear_faults,
    ("GET", "/simulator/requests"): control.requests,
    ("DELETE", "/simulator/requests"): control.clear_requests,
    ("GET", "/simulator/models"): control.models,
    ("POST", "/simulator/models"): control.change_models,
    ("POST", "/simulator/restart"): control.restart,
}


def _local(endpoint: Endpoint) -> Endpoint:
    """`endpoint` for programs on this machine, not for web pages (they send an Origin) and not for the network."""

    def guarded(exchange: Exchange) -> None:
        if exchange.has_origin or not is_loopback(exchange.client_address):
            raise OllamaError(403, "only programs on the simulator's own machine may control it")
        endpoint(exchange)

    return guarded


def is_loopback(address: str) -> bool:
    """Whether an IP address is this machine's own loopback, IPv4 written as IPv6 included."""
    parsed = ipaddress.ip_address(address.split("%")[0])
    mapped = getattr(parsed, "ipv4_mapped", None)
    return (mapped or parsed).is_loopback


ALL: Routes = {**OLLAMA, **{key: _local(endpoint) for key, endpoint in CONTROL.items()}}
