"""`.ci/advisories.py`: clean only when everything was looked up, and never silent where it was not."""

import os
import subprocess
import sys

import pytest

from obt_site import env

CLEAN = '{"dependencies": [{"name": "a", "version": "1", "vulns": []}]}'
HOLE = '{"dependencies": [{"name": "a", "version": "1", "vulns": [{"id": "PYSEC-1", "fix_versions": ["2"]}]}]}'
SKIPPED = '{"dependencies": [{"name": "a", "skip_reason": "not found on PyPI"}]}'


@pytest.fixture
def audit(tmp_path):
    """Runs the step with a pip-audit that says this; the exit code and all it printed."""

    def run(stdout: str = "", stderr: str = "", **given: str) -> tuple[int, str]:
        (tmp_path / "pip_audit.py").write_text(
            f"import sys\nsys.stdout.write({stdout!r})\nsys.stderr.write({stderr!r})\nsys.exit(1)\n"
        )
        environment = {name: value for name, value in os.environ.items() if name != "OBT_ADVISORIES"}
        done = subprocess.run(
            [sys.executable, ".ci/advisories.py"],
            cwd=env.ROOT,
            env={**environment, "PYTHONPATH": str(tmp_path), **given},
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr

    return run


def test_nothing_found_is_clean_and_says_how_much_was_looked_up(audit):
    code, said = audit(CLEAN)

    assert code == 0
    assert "requirements.txt: clean, 1 packages looked up" in said


def test_a_hole_fails_with_its_name_and_where_it_is_mended(audit):
    code, said = audit(HOLE)

    assert code == 1
    assert "a 1 has PYSEC-1; fixed in 2" in said
    assert "clean" not in said


@pytest.mark.parametrize(("stdout", "stderr"), [("", "ERROR: connection refused by advisories.example"), (SKIPPED, "")])
def test_what_was_not_looked_up_is_not_called_clean_and_the_refusal_is_printed(audit, stdout, stderr):
    code, said = audit(stdout, stderr)

    assert code == 0
    assert "NOT CHECKED" in said
    assert "clean" not in said
    assert (stderr or "not found on PyPI") in said


def test_where_it_is_required_not_looking_is_a_failure(audit):
    assert audit("", "ERROR: no network", OBT_ADVISORIES="required")[0] == 1


def test_lint_runs_both_scanners():
    makefile = (env.ROOT / "Makefile").read_text()
    recipe = makefile.split("\nlint:")[1].split("\n\n")[0]

    assert "-m bandit" in recipe
    assert ".ci/advisories.py" in recipe
