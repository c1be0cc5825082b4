#!/usr/bin/env python3
"""OBT's one entry point.

    python3 manage.py up              everything from a fresh clone: environment, database, server, agent
    python3 manage.py bootstrap       only makes the environment (.venv); --dev adds what the tests need
    python3 manage.py COMMAND …       any other command, in that environment

`OBT_NO_VENV=1` uses the Python this is run with instead of .venv (containers, packagers).
This file parses on every Python 3, so that an old one gets a sentence instead of a syntax error.
"""

import os
import sys

OLDEST_PYTHON = (3, 11)
EXIT_REFUSED = 1
EXIT_BAD_ENVIRONMENT = 2
ROOT = os.path.dirname(os.path.abspath(__file__))


def main():
    if sys.version_info < OLDEST_PYTHON:
        found = ".".join(str(part) for part in sys.version_info[:3])
        sys.stderr.write(
            "OBT needs Python 3.11 or newer and this is Python " + found + " (" + sys.executable + "); "
            "install a newer one and run it by name, for example: python3.12 manage.py up\n"
        )
        return EXIT_REFUSED
    sys.path.insert(0, ROOT)
    from obt_site import bootstrap  # noqa: PLC0415  (does not parse on the Pythons refused above)

    return bootstrap.dispatch(sys.argv)


if __name__ == "__main__":
    sys.exit(main())
