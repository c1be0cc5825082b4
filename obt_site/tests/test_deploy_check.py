"""`manage.py check --deploy` with an environment as it is behind TLS: no warning, and each silence has its reason."""

import os
import re
import subprocess
import sys

import pytest

from agent.tests.certificates import Authority
from obt_site import env


def check(tmp_path, **given: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("OBT_")}
    base = {"OBT_NO_VENV": "1", "OBT_DATA_DIR": str(tmp_path / "data"), "OBT_SECRET_KEY": "aB3-x9Zq" * 10}
    return subprocess.run(
        [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"],
        cwd=env.ROOT,
        env={**clean, **base, **given},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def with_tls(tmp_path):
    pair = Authority(tmp_path).pair("bench.example")
    return {"OBT_TLS_CERT": str(pair.cert), "OBT_TLS_KEY": str(pair.key), "OBT_ALLOWED_HOSTS": "bench.example"}


def test_behind_tls_it_has_nothing_to_say(tmp_path, with_tls):
    done = check(tmp_path, **with_tls)

    assert "System check identified no issues (1 silenced)" in done.stdout + done.stderr
    assert done.returncode == 0


def test_without_tls_it_says_so_and_so_does_debug(tmp_path, with_tls):
    assert "security.W012" in check(tmp_path).stderr  # the session's cookie
    assert "security.W018" in check(tmp_path, **with_tls, OBT_DEBUG="1").stderr


def test_each_silenced_check_has_a_comment_with_its_reason():
    text = (env.ROOT / "obt_site" / "settings.py").read_text()
    listed = text.split("SILENCED_SYSTEM_CHECKS = [")[1].split("]")[0]

    silenced = re.findall(r'((?:^ +#.+\n)*)^ +"security\.W\d+",\n', listed, re.MULTILINE)

    assert len(silenced) == listed.count('"security.') > 0
    assert all(reason.strip() for reason in silenced)
