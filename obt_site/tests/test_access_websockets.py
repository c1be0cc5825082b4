"""docs/access.md, held against the WebSockets: each × every role × everybody else, really opened."""

import pytest

from benchmarks.tests.live_socket import PATIENCE_S, Socket, cookie_of
from benchmarks.tests.test_live_session import _pace, stored  # noqa: F401
from obt_site.access import Role
from obt_site.accounts import browsers
from obt_site.tests.access_world import COLUMNS, ROLES, TABLE, WEBSOCKET, World, plain
from obt_site.tests.people import person
from obt_site.urls import websocket_urlpatterns

pytestmark = pytest.mark.django_db(transaction=True)
SOCKETS = sorted(route for route, method in TABLE if method == WEBSOCKET)
CLOSED = {4401: "sign-in", 4403: "403"}


def test_every_websocket_has_a_line_and_every_line_a_websocket():
    there = {"/" + plain(str(each.pattern)) for each in websocket_urlpatterns} - {"/"}  # the last one refuses the rest

    assert there == set(SOCKETS)


@pytest.mark.parametrize("column", COLUMNS)
@pytest.mark.parametrize("route", SOCKETS)
async def test_the_websockets_answer_everybody_as_the_table_says(route, column, settings):
    settings.PUBLIC_READ = column == "Public read"
    small = await stored(World)
    cookie = await stored(cookie_of, small.people[column]) if column in ROLES else ""
    authorization = small.authorization if column == "Agent" else ""

    async with Socket(small.path(route), cookie, authorization) as socket:
        output = await socket.link.receive_output(PATIENCE_S)

    got = "yes" if output["type"] == "websocket.send" else CLOSED[output["code"]]
    assert got == TABLE[route, WEBSOCKET][column]


async def test_a_browser_that_was_signed_out_by_an_administrator_stops_watching():
    user = await stored(person, "jo", Role.VIEWER)
    cookie = await stored(cookie_of, user)
    async with Socket("/ws/fleet", cookie) as socket:
        await socket.message()

        await stored(browsers.end_all, user)

        assert await socket.closed() == 4401
