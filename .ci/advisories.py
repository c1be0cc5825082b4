"""Known holes in the pinned dependencies, by pip-audit. `make lint` runs it.

Exit code 0 with "clean" only when every pinned package was looked up; 1 with what was found. Where the source of
advisories cannot be reached it says NOT CHECKED with the refusal, word for word, and ends with 0, so that a machine
without a network can still check the rest; OBT_ADVISORIES=required makes that a failure as well.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
FILES = ("requirements.txt", "requirements-dev.txt")
SOURCES = ("pypi", "osv")
# Advisory → why it does not matter here. Each is to be looked at again when its package is.
ACCEPTED: dict[str, str] = {}
TIMEOUT_S = 300


def main() -> int:
    """Look every file up; returns the exit code."""
    return max([look_up(name) for name in FILES])


def look_up(name: str) -> int:
    """One file of requirements: of the sources the first that knows its packages."""
    refusals = []
    for source in SOURCES:
        packages, refusal = ask(name, source)
        found = [(each["name"], each["version"], hole) for each in packages for hole in each.get("vulns", [])]
        for package, version, hole in found:
            fixed = ", ".join(hole["fix_versions"]) or "no version yet"
            print(f"{name}: {package} {version} has {hole['id']}; fixed in {fixed}")
        if found:
            return 1
        if refusal is None:
            print(f"{name}: clean, {len(packages)} packages looked up")
            return 0
        refusals.append(f"  {source}: {refusal}")
    print("\n".join([f"{name}: NOT CHECKED for known holes. The refusals were:", *refusals]), file=sys.stderr)
    return int(os.environ.get("OBT_ADVISORIES") == "required")


def ask(name: str, source: str) -> tuple[list[dict[str, Any]], str | None]:
    """The packages as pip-audit tells them, and, unless each was looked up, why not."""
    command = [
        sys.executable,
        "-m",
        "pip_audit",
        "--requirement",
        str(ROOT / name),
        "--disable-pip",
        "--require-hashes",
    ]
    command += ["--format", "json", "--progress-spinner", "off", "--vulnerability-service", source]
    command += [word for identity in ACCEPTED for word in ("--ignore-vuln", identity)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=TIMEOUT_S)
    except subprocess.TimeoutExpired:
        return [], f"no answer within {TIMEOUT_S} s"
    try:
        packages = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError):
        said = (done.stderr or done.stdout).strip().splitlines()
        return [], said[-1] if said else f"exit code {done.returncode}, without a word"
    skipped = [each["skip_reason"] for each in packages if "skip_reason" in each]
    if skipped:
        return packages, f"{len(skipped)} of {len(packages)} packages not looked up, the first: {skipped[0]}"
    return packages, None


if __name__ == "__main__":
    sys.exit(main())
