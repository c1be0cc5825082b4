"""Machines over the user API."""

from itertools import islice
from typing import Annotated, Any, Literal

from django.http import HttpRequest
from ninja import Query as FromQuery
from ninja import Router
from ninja.responses import Status
from pydantic import Field, StringConstraints

from agent.obt_agent.contract import Hardware
from agents import credentials, presence, removal, verbs
from agents.documents import Client, HardwareConfig
from benchmarks.api import cursors
from benchmarks.api.callers import caller_of, open_to
from benchmarks.api.shapes import Body, Line, PageQuery, Private, Shape, Time, Word
from obt_site.access import Role

LABELS_MAXIMUM = 20
router = Router(tags=["machines"])


class OllamaShape(Shape):
    """A machine's Ollama as its agent last saw it."""

    url: Private
    version: str | None
    reachable: bool
    simulated: bool
    message: Private = Field(description="what is wrong when it is not reachable")


class ClientShape(Shape):
    """A machine with an agent. `state` is what it is at this moment: online, degraded, late or offline.

    `reason`: what is wrong with it, or why it takes no job.
    """

    id: str
    name: str
    hostname: Private
    state: str
    reason: Private
    state_since: Time | None
    last_seen_at: Time | None
    agent_version: str | None
    ollama: OllamaShape | None
    hardware: Hardware | None
    hardware_config: str | None
    labels: list[str]
    paused: bool


class ClientPage(Shape):
    items: list[ClientShape]
    next: str | None


class ClientChanges(Body):
    """What to change; what is left out or null stays as it is."""

    name: Annotated[Line, StringConstraints(min_length=1, max_length=verbs.NAME_LENGTH)] | None = None
    labels: (
        Annotated[
            list[Annotated[Line, StringConstraints(min_length=1, max_length=60)]], Field(max_length=LABELS_MAXIMUM)
        ]
        | None
    ) = None
    paused: bool | None = None


def shape(client: Client, hardware: dict[str, Any] | None) -> ClientShape:
    """The machine as the API tells it; `hardware` is the content of its hardware config."""
    now = presence.of(client)
    return ClientShape(
        id=str(client.id),
        name=client.name,
        hostname=client.hostname,
        state=now.state.value,
        reason=now.reason or client.refusal,
        state_since=now.since or client.state_since,
        last_seen_at=client.last_seen_at,
        agent_version=client.agent_version,
        ollama=OllamaShape(**{name: client.ollama.get(name) for name in OllamaShape.model_fields})
        if client.ollama
        else None,
        hardware=hardware,  # type: ignore[arg-type]  # a dict of the dataclass's fields
        hardware_config=client.hardware_config,
        labels=list(client.labels),
        paused=client.paused,
    )


def shapes(clients: list[Client]) -> list[ClientShape]:
    """Many machines, with one question for all their hardware."""
    wanted = {client.hardware_config for client in clients if client.hardware_config}
    configs = {config.id: config.content for config in HardwareConfig.objects(id__in=wanted)}
    return [shape(client, configs.get(client.hardware_config)) for client in clients]


class ClientQuery(PageQuery):
    """All filters hold together."""

    state: Literal["online", "degraded", "late", "offline"] | None = None
    label: Word | None = Field(None, description="with exactly this label")
    search: Word | None = Field(None, description="part of its name, host name or a label, in any case")

    def lets_through(self, client: Client) -> bool:
        texts = (client.name, client.hostname or "", *client.labels)
        return (
            (self.state is None or presence.of(client).state.value == self.state)
            and (self.label is None or self.label in client.labels)
            and (self.search is None or any(self.search.casefold() in text.casefold() for text in texts))
        )


@router.get("/clients", **open_to(Role.VIEWER, ClientPage, public=True))
def list_clients(request: HttpRequest, query: FromQuery[ClientQuery]) -> ClientPage:
    """The machines by name."""
    found = Client.objects.order_by("name")
    if query.cursor is not None:
        (name,) = cursors.decode(query.cursor, str)
        found = found.filter(name__gt=name)
    clients = list(islice(filter(query.lets_through, found), query.limit + 1))
    more = len(clients) > query.limit
    page = clients[: query.limit]
    return ClientPage(items=shapes(page), next=cursors.encode(page[-1].name) if more else None)


@router.get("/clients/{client_id}", **open_to(Role.VIEWER, ClientShape, public=True))
def get_client(request: HttpRequest, client_id: str) -> ClientShape:
    """One machine."""
    return shapes([verbs.find(client_id)])[0]


@router.patch("/clients/{client_id}", **open_to(Role.ADMIN, ClientShape))
def change_client(request: HttpRequest, client_id: str, body: ClientChanges) -> ClientShape:
    """Rename, label, pause or wake a machine. A name that is taken is a conflict, and nothing is changed then."""
    client = verbs.find(client_id)
    if body.name is not None:
        client = verbs.rename(client, body.name)
    if body.labels is not None:
        client = verbs.set_labels(client, body.labels)
    if body.paused is not None:
        client = verbs.set_paused(client, body.paused)
    return shapes([client])[0]


@router.post("/clients/{client_id}/revoke", **open_to(Role.ADMIN, ClientShape))
def revoke_client(request: HttpRequest, client_id: str) -> ClientShape:
    """End a machine's credential at once. Its jobs wait for it to be enrolled again with a token made `for_client`."""
    return shapes([credentials.revoke(verbs.find(client_id))])[0]


@router.delete("/clients/{client_id}", **open_to(Role.ADMIN, None, 204))
def remove_client(request: HttpRequest, client_id: str) -> Status[None]:
    """Remove a machine: its credential dies, its waiting jobs are cancelled, its results stay with its name."""
    removal.remove(verbs.find(client_id), caller_of(request).name)
    return Status(204, None)
