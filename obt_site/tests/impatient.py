"""Settings of a server for tests that wait for its patience to end: a second or two instead of half a minute."""

from obt_site.settings import *  # noqa: F403

HEAD_WITHIN_S = 2.0
BODY_SILENCE_S = 3.0
BODY_SLOWEST_BYTES = 1024
KEEP_ALIVE_S = 2.0
UNREAD_S = 1.2
SOCKET_PING_EVERY_S = 1
SOCKET_PONG_WITHIN_S = 1
SOCKETS_PER_PERSON = 2
