"""obt_site/bootstrap.py and manage.py: from a fresh folder to the project's own environment, with the standard library.

Each test works in a copy of the files that bootstrap needs, with a package of its own in place of the real ones.
"""

import ast
import base64
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

from obt_site import env

NEEDED = (
    "manage.py",
    "obt_site/__init__.py",
    "obt_site/bootstrap.py",
    "obt_site/env.py",
    "obt_site/env_values.py",
    "obt_site/rate_table.py",
)
NEEDED += tuple(f"obt_site/up/{name}.py" for name in ("__init__", "filelock", "terminal"))


def wheel(folder: Path, name: str, version: str = "1.0") -> str:
    """Makes a package of one module; returns its line for a requirements file."""
    path = folder / f"{name}-{version}-py3-none-any.whl"
    info = f"{name}-{version}.dist-info"
    files = {
        f"{name}.py": f"VERSION = {version!r}\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    digests = {each: hashlib.sha256(text.encode()).digest() for each, text in files.items()}
    record = "".join(
        f"{each},sha256={base64.urlsafe_b64encode(d).rstrip(b'=').decode()},\n" for each, d in digests.items()
    )
    with zipfile.ZipFile(path, "w") as archive:
        for each, text in {**files, f"{info}/RECORD": record}.items():
            archive.writestr(each, text)
    return f"{name}=={version} --hash=sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}\n"


class Clone:
    """A fresh clone as far as bootstrap is concerned."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.packages = root.parent / f"{root.name}-packages"
        self.packages.mkdir()
        for name in NEEDED:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(env.ROOT / name, root / name)
        (root / "requirements.txt").write_text(wheel(self.packages, "obt_probe"), encoding="utf-8")
        (root / "requirements-dev.txt").write_text(wheel(self.packages, "obt_probe_dev"), encoding="utf-8")

    def start(self, *arguments: str, **given: str) -> subprocess.Popen[str]:
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("OBT_", "PIP_"))}
        packages = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(self.packages), "PIP_CONFIG_FILE": os.devnull}
        return subprocess.Popen(
            [base_python(), str(self.root / "manage.py"), *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**clean, **packages, **given},
        )

    def run(self, *arguments: str, **given: str) -> tuple[int, str]:
        process = self.start(*arguments, **given)
        output = process.communicate(timeout=120)[0]
        return process.returncode, output

    def installed(self, module: str) -> str:
        command = [str(self.root / ".venv/bin/python"), "-c", f"import {module}; print({module}.VERSION)"]
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


def base_python() -> str:
    """The Python that virtual environments are made from, outside of any."""
    return str(Path(sys.base_prefix) / "bin" / f"python{sys.version_info.major}.{sys.version_info.minor}")


@pytest.fixture
def clone(tmp_path):
    (tmp_path / "clone").mkdir()
    return Clone(tmp_path / "clone")


@pytest.fixture(scope="module")
def ready(tmp_path_factory):
    """A clone that is bootstrapped already; tests leave it as they found it."""
    root = tmp_path_factory.mktemp("ready") / "clone"
    root.mkdir()
    found = Clone(root)
    code, output = found.run("bootstrap")
    assert code == 0, output
    return found


def test_a_fresh_clone_gets_its_environment_without_a_wall_of_lines(clone):
    code, output = clone.run("bootstrap")
    assert code == 0, output
    assert clone.installed("obt_probe") == "1.0"
    assert clone.installed("obt_probe_dev") == ""
    assert len(output.splitlines()) <= 4
    assert "Installing collected packages" in (clone.root / ".venv/obt-install.log").read_text(encoding="utf-8")


def test_a_second_time_it_decides_at_once_and_says_nothing(ready):
    started = time.monotonic()
    assert ready.run("bootstrap") == (0, "")
    assert time.monotonic() - started < 2


def test_dev_adds_what_tests_need_and_stays_added(clone):
    assert clone.run("bootstrap", "--dev")[0] == 0
    assert clone.installed("obt_probe_dev") == "1.0"
    assert clone.run("bootstrap") == (0, "")
    (clone.root / "requirements-dev.txt").write_text(wheel(clone.packages, "obt_probe_dev", "2.0"), encoding="utf-8")
    assert clone.run("bootstrap")[0] == 0
    assert clone.installed("obt_probe_dev") == "2.0"


def test_changed_requirements_are_installed_and_a_wrong_hash_is_refused(clone):
    assert clone.run("bootstrap")[0] == 0
    line = wheel(clone.packages, "obt_probe", "1.1")
    (clone.root / "requirements.txt").write_text(line[:-65] + "0" * 64 + "\n", encoding="utf-8")
    code, output = clone.run("bootstrap")
    assert code == 1
    assert "HASH" in output.upper()
    (clone.root / "requirements.txt").write_text(line, encoding="utf-8")
    assert clone.run("bootstrap")[0] == 0
    assert clone.installed("obt_probe") == "1.1"


def test_a_failed_installation_quotes_the_log_says_what_to_do_and_goes_on_later(clone):
    shutil.move(clone.packages / "obt_probe-1.0-py3-none-any.whl", clone.root / "away.whl")
    code, output = clone.run("bootstrap")
    assert code == 1
    assert "No matching distribution found for obt_probe" in output
    assert str(clone.root / ".venv/obt-install.log") in output
    assert "Check the network or the package mirror" in output
    shutil.move(clone.root / "away.whl", clone.packages / "obt_probe-1.0-py3-none-any.whl")
    assert clone.run("bootstrap")[0] == 0
    assert clone.installed("obt_probe") == "1.0"


def test_two_at_once_are_both_right_and_install_once(clone):
    first, second = clone.start("bootstrap"), clone.start("bootstrap")
    outputs = [each.communicate(timeout=120)[0] for each in (first, second)]
    assert (first.returncode, second.returncode) == (0, 0), outputs
    assert sorted("Installed the dependencies" in each for each in outputs) == [False, True]
    assert clone.installed("obt_probe") == "1.0"


def test_an_environment_whose_python_is_gone_is_made_again(clone):
    assert clone.run("bootstrap")[0] == 0
    (clone.root / ".venv/bin/python").unlink()
    (clone.root / ".venv/bin/python").symlink_to("/nowhere/python3")
    assert clone.run("bootstrap")[0] == 0
    assert clone.installed("obt_probe") == "1.0"


def test_a_damaged_stamp_counts_as_none(clone):
    assert clone.run("bootstrap")[0] == 0
    stamp = clone.root / ".venv/obt-stamp.json"
    stamp.write_text("[", encoding="utf-8")
    assert clone.run("bootstrap")[0] == 0
    assert json.loads(stamp.read_text(encoding="utf-8"))["dev"] is False


def test_a_python_without_venv_is_told_what_to_install(clone, tmp_path):
    (tmp_path / "without").mkdir()
    code = "import sys\nclass No:\n    def find_spec(self, name, *rest):\n"
    code += "        if name == 'ensurepip': raise ModuleNotFoundError(name)\nsys.meta_path.insert(0, No())\n"
    (tmp_path / "without/sitecustomize.py").write_text(code, encoding="utf-8")
    status, output = clone.run("bootstrap", PYTHONPATH=str(tmp_path / "without"))
    assert status == 1
    assert f"sudo apt install python3.{sys.version_info.minor}-venv" in output
    assert len(output.strip().splitlines()) <= 2


def test_an_unknown_argument_of_bootstrap_is_named(clone):
    assert clone.run("bootstrap", "--everything") == (1, "manage.py bootstrap takes only --dev, not --everything.\n")
    assert not (clone.root / ".venv").exists()


def test_other_commands_run_inside_the_environment(ready):
    code, output = ready.run("check")
    assert code == 1
    assert f"not installed for {ready.root}/.venv/bin/python" in output  # the probe package is all that is in there


def test_without_an_environment_other_commands_say_how_to_make_one(clone):
    code, output = clone.run("check")
    assert code == 1
    assert "python3 manage.py bootstrap" in output
    assert not (clone.root / ".venv").exists()


def test_a_bad_variable_is_said_before_anything_is_installed(clone):
    code, output = clone.run("up", OBT_PORT="eighty")
    assert code == 2
    assert output.startswith("OBT_PORT")
    assert not (clone.root / ".venv").exists()


def test_a_container_uses_its_own_python_when_told(clone):
    command = [sys.executable, str(clone.root / "manage.py"), "version"]
    given = {**os.environ, "OBT_NO_VENV": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=given, check=False)
    assert (done.returncode, done.stdout[:2]) == (0, "5.")
    assert not (clone.root / ".venv").exists()


# --- old Pythons -----------------------------------------------------------------------------------------------------


def test_manage_py_parses_on_every_python_3():
    source = (env.ROOT / "manage.py").read_text(encoding="utf-8")
    tree = ast.parse(source, feature_version=(3, 4))
    newer = (ast.JoinedStr, ast.AnnAssign, ast.NamedExpr, ast.AsyncFunctionDef)
    assert not [node for node in ast.walk(tree) if isinstance(node, newer)]


def test_an_old_python_gets_one_sentence(clone):
    code = "import sys, runpy; sys.version_info = (3, 8, 2, 'final', 0); sys.argv = ['manage.py', 'up'];"
    code += f"runpy.run_path({str(clone.root / 'manage.py')!r}, run_name='__main__')"
    done = subprocess.run([base_python(), "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "needs Python 3.11 or newer and this is Python 3.8.2" in done.stderr


# --- Windows' way in -------------------------------------------------------------------------------------------------

PASSING = """
import sys; sys.path.insert(0, {root!r})
from obt_site import bootstrap
sys.exit(bootstrap.run_and_pass_signals([sys.executable, "-c", {child!r}]))
"""


def passing(child: str) -> subprocess.Popen[str]:
    code = PASSING.format(root=str(env.ROOT), child=child)
    return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)


def test_the_child_s_exit_code_is_passed_back():
    assert passing("import sys; sys.exit(7)").wait(20) == 7


def test_a_request_to_stop_is_passed_on_and_waited_for():
    child = "import signal, sys, time; signal.signal(signal.SIGTERM, lambda *_: sys.exit(5));"
    child += "print('up', flush=True); time.sleep(60)"
    outer = passing(child)
    assert outer.stdout.readline() == "up\n"
    outer.send_signal(signal.SIGINT)  # the console gives the child its own; this process only stays
    outer.terminate()
    assert outer.wait(20) == 5
