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

ROOT = Path(__file__).resolve().parent.parent
FILES = ("requirements.txt", "requirements-dev.txt")
# Advisory → why it does not matter here. Each is to be looked at again when its package is.
ACCEPTED: dict[str, str] = {}
TIMEOUT_S = 600


def main() -> int:
    """Look every file up; returns the exit code."""
    codes = [look_up(name) for name in FILES]
    return max(codes)


def look_up(name: str) -> int:
    """One file of requirements."""
    command = [
        sys.executable,
        "-m",
        "pip_audit",
        "--requirement",
        str(ROOT / name),
        "--disable-pip",
        "--require-hashes",
    ]
    command += ["--format", "json", "--progress-spinner", "off", "--vulnerability-service", "pypi"]
    command += [word for identity in ACCEPTED for word in ("--ignore-vuln", identity)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=TIMEOUT_S)
    except subprocess.TimeoutExpired:
        return not_checked(name, f"no answer within {TIMEOUT_S} s")
    try:
        packages = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError):
        return not_checked(name, (done.stderr or done.stdout).strip())
    skipped = [f"{each['name']}: {each['skip_reason']}" for each in packages if "skip_reason" in each]
    found = [(each["name"], each["version"], hole) for each in packages for hole in each.get("vulns", [])]
    for package, version, hole in found:
        fixed = ", ".join(hole["fix_versions"]) or "no version yet"
        print(f"{name}: {package} {version} has {hole['id']}; fixed in {fixed}")
    if skipped:
        return max(int(bool(found)), not_checked(name, "; ".join(skipped)))
    if not found:
        print(f"{name}: clean, {len(packages)} packages looked up")
    return int(bool(found))


def not_checked(name: str, why: str) -> int:
    """Say it, loud enough not to be taken for clean."""
    print(f"{name}: NOT CHECKED for known holes. The refusal was:\n{why}", file=sys.stderr)
    return int(os.environ.get("OBT_ADVISORIES") == "required")


if __name__ == "__main__":
    sys.exit(main())
