from __future__ import annotations

import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import psutil
import pytest

from agent.obt_agent import __version__
from agent.simulator.server import SimulatedOllama
from agent.tests.fake_server import TOKEN, FakeServer
from agent.zipapp_build import build


@pytest.fixture(scope="module")
def zipapp(tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("zipapp") / "obt-agent.pyz"
    build(output)
    return output


@pytest.fixture(scope="module")
def bare_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python without any package."""
    folder = tmp_path_factory.mktemp("bare")
    venv.create(folder, with_pip=False)
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def run(python: Path | str, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("OBT_", "PYTHON"))}
    return subprocess.run(
        [str(python), *arguments], capture_output=True, text=True, timeout=60, env={**clean, **env}, check=False
    )


def test_the_same_package_gives_the_same_bytes(zipapp: Path, tmp_path: Path) -> None:
    digest = build(tmp_path / "again.pyz")
    assert (tmp_path / "again.pyz").read_bytes() == zipapp.read_bytes()
    assert len(digest) == 64


def test_it_holds_the_package_and_pure_python_only_with_licences(zipapp: Path) -> None:
    names = zipfile.ZipFile(zipapp).namelist()
    assert "obt_agent/cli.py" in names
    assert "vendor/requests/__init__.py" in names
    assert "vendor/certifi/cacert.pem" in names
    assert any("requests" in name and "LICENSE" in name for name in names)
    assert not [name for name in names if name.endswith((".so", ".pyd", ".pyc"))]
    assert not [name for name in names if "tests" in name.split("/")[:2]]


def test_it_runs_where_everything_is_installed(zipapp: Path) -> None:
    done = run(sys.executable, str(zipapp), "--version")
    assert (done.returncode, done.stdout) == (0, f"obt_agent {__version__}\n"), done.stderr


def test_without_psutil_it_says_in_one_sentence_what_to_install(zipapp: Path, bare_python: Path) -> None:
    done = run(bare_python, str(zipapp), "--version")
    assert done.returncode == 1
    assert done.stderr.strip() == f"The OBT agent needs psutil: run  {bare_python} -m pip install psutil"


def test_with_psutil_alone_the_vendored_parts_do_the_rest(zipapp: Path, bare_python: Path, tmp_path: Path) -> None:
    """The whole way: enrol, find Ollama, send a heartbeat; psutil comes by PYTHONPATH, nothing else is there."""
    (tmp_path / "only" / "psutil").parent.mkdir()
    (tmp_path / "only" / "psutil").symlink_to(Path(psutil.__file__).parent)
    server, ollama = FakeServer().start(), SimulatedOllama(speed=20).start()
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("OBT_", "PYTHON"))}
    arguments = [
        "--server",
        server.url,
        "--token",
        TOKEN,
        "--ollama-url",
        ollama.url,
        "--state-dir",
        str(tmp_path / "s"),
    ]
    process = subprocess.Popen(
        [str(bare_python), str(zipapp), *arguments], env={**clean, "PYTHONPATH": str(tmp_path / "only")}
    )
    try:
        server.wait_for(lambda: server.syncs)
        assert server.syncs[0].ollama.reachable
    finally:
        process.terminate()
        assert process.wait(10) == 0
        server.stop()
        ollama.stop()
