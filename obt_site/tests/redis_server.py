"""A real Redis for a test module: `from obt_site.tests.redis_server import redis_url`."""

import os
import shutil
import subprocess
from collections.abc import Iterator

import pytest

from obt_site.tests.server import free_port


@pytest.fixture(scope="module")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Its address. Where no Redis is installed the test is skipped, and fails in CI."""
    program = shutil.which("redis-server")
    if program is None:
        sentence = "redis-server is not installed (Debian: apt install redis-server)."
        if os.environ.get("CI") == "true":
            pytest.fail(sentence, pytrace=False)
        pytest.skip(sentence)
    port, folder = free_port(), tmp_path_factory.mktemp("redis")
    command = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        for line in running.stdout:
            if "eady to accept" in line:
                break
        yield f"redis://127.0.0.1:{port}/0"
        running.terminate()
