"""The agent-facing API: five calls, typed by the wire contract. Nothing but an agent's credential opens them.

Views parse, call verbs in a thread, and answer. `sync` waits without holding a thread.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any, TypeVar

from asgiref.sync import sync_to_async
from channels.layers import get_channel_layer
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt

from agent.obt_agent import contract, wire
from agents import credentials, enrolment, verbs
from agents.documents import Client
from benchmarks import live, progress, queue, results
from obt_site import actor, limits
from obt_site.address import address_of
from obt_site.clock import now
from obt_site.errors import FieldError, Malformed, MethodNotAllowed, NotFound, WrongMediaType, respond

log = logging.getLogger(__name__)
T = TypeVar("T")
LONGEST_HOLD_S = 30.0
View = Callable[..., Awaitable[HttpResponse]]
Route = Callable[..., Any]  # what Django's stubs take for an async view


def agent_call(method: str) -> Callable[[View], Route]:
    """A view for agents: one method, JSON in, refusals in the one error shape, no CSRF (there is no browser)."""

    def wrap(view: View) -> Route:
        async def call(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            if request.method != method:
                response = respond(request, MethodNotAllowed(f"This path takes {method}."))
                response["Allow"] = method
                return response
            return await view(request, *args, **kwargs)

        call.__doc__ = view.__doc__
        return csrf_exempt(call)

    return wrap


def read(request: HttpRequest, kind: type[T]) -> T:
    """The body as a wire type; raises WrongMediaType or Malformed naming each field."""
    if request.content_type != "application/json":
        raise WrongMediaType("Send the body as application/json.")
    try:
        return wire.decode(kind, wire.loads(request.body))
    except wire.WireError as error:
        fields = [FieldError(problem.path, problem.message) for problem in error.problems]
        raise Malformed(f"The body does not fit this call: {error}"[:1000], fields) from None


def answer(value: Any, status: int = 200) -> HttpResponse:
    return HttpResponse(wire.dumps(value), status=status, content_type="application/json")


async def authenticated(request: HttpRequest, *fields: str) -> Client:
    """The machine whose agent calls; with `fields` only what these name is read of it."""
    return await sync_to_async(_let_in, thread_sensitive=False)(request, *fields)


def _let_in(request: HttpRequest, *fields: str) -> Client:
    """Whose credential this is; from here on that machine acts, and its calls are counted."""
    header, address = request.headers.get("Authorization"), address_of(request)
    actor.acts(actor.Actor(actor.AGENT, "an agent", None, address))
    client = credentials.authenticate(header, *fields)
    actor.acts(actor.Actor(actor.AGENT, client.name, str(client.id), address))
    limits.spend(request, f"machine:{client.id}")
    return client


@agent_call("POST")
async def register(request: HttpRequest) -> HttpResponse:
    """Enrolment token → credential."""
    body = read(request, contract.RegisterRequest)
    actor.acts(actor.Actor(actor.AGENT, body.hostname, None, address_of(request)))
    return answer(await sync_to_async(enrolment.register, thread_sensitive=False)(body), 201)


@agent_call("POST")
async def renew_credential(request: HttpRequest) -> HttpResponse:
    """A newer credential for the one that asks; both work until the newer one is used."""
    client = await authenticated(request, "name")
    body = read(request, contract.CredentialRequest)
    text = await sync_to_async(credentials.renew, thread_sensitive=False)(client, body.boot_id)
    return answer(contract.CredentialResponse(text, now().isoformat()), 201)


@agent_call("POST")
async def sync(request: HttpRequest) -> HttpResponse:
    """Heartbeat and work: answers at once when there is something, else when the interval has passed.

    All that a sync does is done in one go on one thread. Only a poll that is then held joins the wake-up group, and it
    looks again after that, so nothing that happens in between is missed.
    """
    arrived_at = now()
    client, body, resend, work = await sync_to_async(_take_in, thread_sensitive=False)(request, arrived_at)
    if not work and not resend and body.hold_s > 0:
        work = await _held(client, body, arrived_at)
    return answer(
        contract.SyncResponse(
            server_time=now().isoformat(),
            next_sync_s=0.0,
            jobs=work.jobs,
            cancel=work.cancel,
            resend=resend,
            renew=credentials.is_due(client),
        )
    )


def _take_in(request: HttpRequest, arrived_at: datetime) -> tuple[Client, contract.SyncRequest, list[str], queue.Work]:
    client = _let_in(request)
    body = read(request, contract.SyncRequest)
    resend = verbs.take_in(client, body)
    return client, body, resend, queue.exchange(client, body.holding, body.slots, arrived_at)


async def _held(client: Client, body: contract.SyncRequest, arrived_at: datetime) -> queue.Work:
    """Wait for work, for as long as the agent wants."""
    layer = get_channel_layer()
    channel = await layer.new_channel()
    group = live.client_group(client.id)
    await layer.group_add(group, channel)
    try:
        work = await _exchange(client, body, arrived_at)
        if not work and await _woken(layer, channel, min(body.hold_s, LONGEST_HOLD_S)):
            work = await _exchange(client, body, arrived_at)
    finally:
        await layer.group_discard(group, channel)
    return work


async def _exchange(client: Client, body: contract.SyncRequest, arrived_at: datetime) -> queue.Work:
    def exchange() -> queue.Work:
        fresh = Client.objects(id=client.id).only("paused", *credentials.FIELDS).first()
        if fresh is None:
            raise NotFound("This machine was removed.")
        credentials.still_good(fresh, client)
        return queue.exchange(fresh, body.holding, body.slots, arrived_at)

    return await sync_to_async(exchange, thread_sensitive=False)()


async def _woken(layer: Any, channel: str, hold_s: float) -> bool:
    """Wait for a wake-up; False when the time passed without one."""
    try:
        await asyncio.wait_for(layer.receive(channel), hold_s)
    except TimeoutError:
        return False
    return True


@agent_call("POST")
async def job_progress(request: HttpRequest, job_id: str) -> HttpResponse:
    """Sequence-numbered events of a running job."""
    return answer(await sync_to_async(_progress, thread_sensitive=False)(request, job_id))


def _progress(request: HttpRequest, job_id: str) -> contract.ProgressResponse:
    client = _let_in(request, "ollama")
    return progress.apply(client, job_id, read(request, contract.ProgressRequest))


@agent_call("PUT")
async def job_result(request: HttpRequest, job_id: str) -> HttpResponse:
    """The job's result: 201 new, 200 the same again, 409 not current or another body."""
    client = await authenticated(request, "ollama")
    body = await sync_to_async(read, thread_sensitive=False)(request, contract.ResultBody)
    store = sync_to_async(results.store, thread_sensitive=False)
    result, created = await store(client, job_id, body, request.body)
    await sync_to_async(live.wake, thread_sensitive=False)(client.id)
    return answer(contract.ResultAnswer(result.id), 201 if created else 200)
