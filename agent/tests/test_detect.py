from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from agent.obt_agent.detect import DEFAULT_URL, Found, find, parse_host, port_of, systemd_variable
from agent.obt_agent.locality import Listener, in_other_container, is_local, judge


@pytest.mark.parametrize(
    ("given", "url"),
    [
        # The forms of Ollama's own envconfig tests.
        ("", "http://127.0.0.1:11434"),
        ("1.2.3.4", "http://1.2.3.4:11434"),
        (":1234", "http://127.0.0.1:1234"),
        ("1.2.3.4:5678", "http://1.2.3.4:5678"),
        ("example.com", "http://example.com:11434"),
        ("example.com:1234", "http://example.com:1234"),
        ("0.0.0.0", "http://127.0.0.1:11434"),
        ("0.0.0.0:8080", "http://127.0.0.1:8080"),
        ("::", "http://[::1]:11434"),
        ("[::]:8080", "http://[::1]:8080"),
        ("::1", "http://[::1]:11434"),
        ("[::1]", "http://[::1]:11434"),
        ("[::1]:1234", "http://[::1]:1234"),
        ("[0001:002:003:0004::1]:1234", "http://[0001:002:003:0004::1]:1234"),
        ("http://1.2.3.4", "http://1.2.3.4:80"),
        ("https://1.2.3.4", "https://1.2.3.4:443"),
        ("https://example.com:8443", "https://example.com:8443"),
        ("https://example.com/path/", "https://example.com:443/path"),
        ("example.com:1234/a/b", "http://example.com:1234/a/b"),
        (' "1.2.3.4" ', "http://1.2.3.4:11434"),
        ("'1.2.3.4:99'", "http://1.2.3.4:99"),
        ("1.2.3.4:notaport", "http://1.2.3.4:11434"),
        ("1.2.3.4:99999", "http://1.2.3.4:11434"),
        ("1.2.3.4:-1", "http://1.2.3.4:11434"),
        ("1.2.3.4:", "http://1.2.3.4:11434"),
    ],
)
def test_it_reads_every_form_of_ollama_host(given: str, url: str) -> None:
    assert parse_host(given) == url


def nothing() -> Found | None:
    return None


def test_the_option_wins_over_the_environment_and_that_over_habit() -> None:
    environ = {"OBT_OLLAMA_URL": "b", "OLLAMA_HOST": "c"}
    habit = Found("http://d:1", "habit")
    assert find("a", environ, lambda: habit) == Found("http://a:11434", "--ollama-url")
    assert find(None, environ, lambda: habit) == Found("http://b:11434", "OBT_OLLAMA_URL")
    assert find(None, {"OLLAMA_HOST": "c"}, lambda: habit) == Found("http://c:11434", "OLLAMA_HOST")
    assert find(None, {"OLLAMA_HOST": " "}, lambda: habit) == habit
    assert find(None, {}, nothing) == Found(DEFAULT_URL, "the default")


def test_the_port_follows_the_scheme_when_it_is_not_there() -> None:
    assert [port_of(url) for url in ("http://x", "https://x", "http://x:5")] == [80, 443, 5]


@pytest.mark.parametrize(
    ("shown", "value"),
    [
        ("Environment=PATH=/usr/bin OLLAMA_HOST=0.0.0.0:11435 OTHER=1\n", "0.0.0.0:11435"),
        ('Environment=PATH=/usr/bin "OLLAMA_HOST=1.2.3.4" X=1\n', "1.2.3.4"),
        ("Environment=OLLAMA_HOSTS=9\n", None),
        ("Environment=\n", None),
        ("", None),
        ('Environment="unclosed\n', None),
    ],
)
def test_it_reads_the_services_environment_from_systemd(shown: str, value: str | None) -> None:
    assert systemd_variable(shown, "OLLAMA_HOST") == value


# -- local or not ------------------------------------------------------------------------------------------------


def listening() -> socket.socket:
    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    sock.listen()
    return sock


def test_a_process_of_this_machine_that_listens_is_local() -> None:
    with listening() as sock:
        assert is_local(f"http://127.0.0.1:{sock.getsockname()[1]}") is True
        assert is_local(f"http://localhost:{sock.getsockname()[1]}") is True


def test_an_address_of_another_machine_is_not_local() -> None:
    assert is_local("http://192.0.2.1:11434") is False


def test_where_nobody_listens_it_cannot_tell() -> None:
    with listening() as sock:
        port = sock.getsockname()[1]
    assert is_local(f"http://127.0.0.1:{port}") is None


def contained(_: int) -> bool | None:
    return True


def free(_: int) -> bool | None:
    return False


@pytest.mark.parametrize(
    "name", ["ssh", "docker-proxy", "rootlessport", "gvproxy", "com.docker.backend", "wslrelay.exe"]
)
def test_a_tunnel_or_port_forwarder_is_not_local(name: str) -> None:
    assert judge([Listener(1, name)], list, free) is False


def test_behind_a_proxy_it_cannot_tell() -> None:
    assert judge([Listener(1, "nginx")], list, free) is None


def test_a_process_in_a_container_is_not_local() -> None:
    assert judge([Listener(1, "ollama")], list, contained) is False


def test_another_users_listener_is_taken_for_the_ollama_process_there_is() -> None:
    assert judge([Listener(None, None)], lambda: [Listener(7, "ollama"), Listener(8, "ollama")], free) is True
    assert judge([Listener(None, None)], lambda: [Listener(7, "ollama")], contained) is False
    assert judge([Listener(None, None)], list, free) is None


def test_two_ollamas_that_differ_cannot_be_told_apart() -> None:
    both = [Listener(7, "ollama"), Listener(8, "ollama")]
    assert judge(None, lambda: both, lambda pid: pid == 7) is None


def fake_proc(root: Path, own: str, other: str | None, cgroup: str | None) -> Path:
    for name, namespace in (("self", own), ("42", other)):
        (root / name / "ns").mkdir(parents=True)
        if namespace:
            (root / name / "ns" / "pid").symlink_to(namespace)
    if cgroup is not None:
        (root / "42" / "cgroup").write_text(cgroup)
    return root


@pytest.mark.parametrize(
    ("other", "cgroup", "expected"),
    [
        ("pid:[1]", None, False),
        ("pid:[2]", None, True),
        (None, "0::/system.slice/ollama.service\n", False),
        (None, "0::/system.slice/docker-0123456789abcdef.scope\n", True),
        (None, "0::/machine.slice/libpod-0123.scope/container\n", True),
        (None, "12:cpu:/kubepods/burstable/pod1/abc\n", True),
        (None, None, None),
    ],
)
def test_it_sees_a_container_by_its_namespace_or_control_group(
    tmp_path: Path, other: str | None, cgroup: str | None, expected: bool | None
) -> None:
    assert in_other_container(42, fake_proc(tmp_path, "pid:[1]", other, cgroup)) is expected


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs /proc")
def test_a_real_child_process_is_not_in_another_container() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        assert in_other_container(child.pid) is False
        child.communicate(b"\n")
