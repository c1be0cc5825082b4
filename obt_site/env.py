"""The one registry of environment variables: what OBT can be told from outside.

`read()` gives a typed, frozen `Environment`. Values come from the process's environment, then from `.env` in the
project root, then from the defaults below. A value that cannot be used raises `BadEnvironment`, whose text is one
sentence that names the variable and what is allowed; secrets are never repeated in it. A secret can also lie in a file
that the variable with `_FILE` at its end names, as containers and service managers hand them over.
Only the standard library is used here: settings, `up` and the tests all start from this file.
"""

from __future__ import annotations

import contextlib
import ipaddress
import os
import re
import secrets
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from obt_site import env_values, rate_table
from obt_site.env_values import BadEnvironment as BadEnvironment

ROOT = Path(__file__).resolve().parent.parent
SECRET_KEY_BYTES = 50
SECRET_KEY_MODE = 0o600
HIGHEST_PORT = 65_535
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
LOG_FORMATS = ("text", "json")
DATABASES = ("sqlite", "postgres", "postgresql", "mysql")
TRUE_WORDS = ("1", "true", "yes", "on")
FALSE_WORDS = ("0", "false", "no", "off")
SECRETS = ("OBT_MONGODB_URI", "OBT_REDIS_URL", "DATABASE_URL", "OBT_SECRET_KEY", "OBT_ADMIN_PASSWORD")
SPOKEN_FOR = ("authorization", "cookie", "host", "origin", "referer", "content-type", "content-length", "user-agent")


@dataclass(frozen=True)
class Variable:
    """One variable: its name, what kind of value it takes, its default as text ("" for none) and one line about it."""

    name: str
    kind: str
    default: str
    description: str


VARIABLES: tuple[Variable, ...] = (
    Variable("OBT_HOST", "address", "127.0.0.1", "Address to listen on; anything but loopback has conditions."),
    Variable("OBT_PORT", "port", "8881", "Port the server listens on."),
    Variable(
        "OBT_DATA_DIR", "folder", "var", "Folder of all that is stored; a relative one starts at the project root."
    ),
    Variable("OBT_MONGODB_URI", "URI", "", "MongoDB to use, user and TLS in the URI; empty starts an embedded one."),
    Variable("OBT_MONGODB_URI_FILE", "file", "", "File that holds OBT_MONGODB_URI, so that no environment shows it."),
    Variable("OBT_REDIS_URL", "URL", "", "Redis for live updates of several web processes; empty for one process."),
    Variable("OBT_REDIS_URL_FILE", "file", "", "File that holds OBT_REDIS_URL."),
    Variable("DATABASE_URL", "URL", "", "Database of users and sign-ins; empty for SQLite in the data folder."),
    Variable("DATABASE_URL_FILE", "file", "", "File that holds DATABASE_URL."),
    Variable("OBT_SECRET_KEY", "text", "", "Key that signs sign-ins; empty makes one, once, in the data folder."),
    Variable("OBT_SECRET_KEY_FILE", "file", "", "File that holds OBT_SECRET_KEY."),
    Variable("OBT_DEBUG", "yes or no", "false", "Django's debug pages; only ever on loopback."),
    Variable("OBT_ALLOWED_HOSTS", "list", "", "Host names the server answers to, with commas; empty for loopback."),
    Variable("OBT_TLS_CERT", "file", "", "Certificate for https, PEM, with its chain; empty for http."),
    Variable("OBT_TLS_KEY", "file", "", "Private key of OBT_TLS_CERT, PEM, readable by this user only."),
    Variable(
        "OBT_CORS_ORIGINS",
        "list",
        "",
        "Origins whose pages may call the API with a token, with commas; empty for none.",
    ),
    Variable("OBT_ADMIN_USERNAME", "text", "", "Name of the first administrator, for installs without a person."),
    Variable("OBT_ADMIN_PASSWORD", "text", "", "Password of the first administrator."),
    Variable("OBT_ADMIN_PASSWORD_FILE", "file", "", "File that holds OBT_ADMIN_PASSWORD."),
    Variable("OBT_RATE_LIMITS", "list", "", "Calls let through, as in agent_sync=600,api_read=100/10; off for any."),
    Variable("OBT_SOCKETS_PER_PERSON", "number", "40", "Pages of one person that one process keeps up to date."),
    Variable("OBT_SESSIONS_UNDER_WAY", "number", "200", "Sessions that may wait and run at the same time."),
    Variable("OBT_JOBS_PER_SESSION", "number", "2000", "Jobs that one session may have."),
    Variable("OBT_JOBS_QUEUED", "number", "20000", "Jobs that may wait for all machines together."),
    Variable("OBT_RESULTS_PER_EXPORT", "number", "20000", "Results that one exported file may have."),
    Variable("OBT_VIEWS_PER_PERSON", "number", "50", "Views of the results that one person may save."),
    Variable("OBT_MACHINES", "number", "5000", "Machines that may be enrolled."),
    Variable("OBT_OLLAMA_URL", "URL", "http://127.0.0.1:11434", "Ollama that this machine's own agent measures."),
    Variable("OBT_LOG_LEVEL", "word", "INFO", "How much is logged: DEBUG, INFO, WARNING, ERROR or CRITICAL."),
    Variable("OBT_LOG_FORMAT", "word", "text", "Shape of a log line: text or json."),
    Variable("OBT_PUBLIC_READ", "yes or no", "false", "Whether strangers may read results, models and the fleet."),
    Variable("OBT_TRUSTED_PROXY", "list", "", "Addresses or networks of the reverse proxy whose word is believed."),
    Variable("OBT_PROXY_USER_HEADER", "text", "", "Header by which that proxy says who is signed in, as Remote-User."),
)


@dataclass(frozen=True)
class Environment:
    """What was read: one attribute per variable. An optional text that was not given is None."""

    host: str
    port: int
    data_dir: Path
    mongodb_uri: str | None = field(repr=False)
    redis_url: str | None = field(repr=False)
    database_url: str | None = field(repr=False)
    secret_key: str | None = field(repr=False)
    debug: bool
    allowed_hosts: tuple[str, ...]
    tls_cert: Path | None
    tls_key: Path | None
    cors_origins: tuple[str, ...]
    admin_username: str | None
    admin_password: str | None = field(repr=False)
    rate_limits: str | None
    sockets_per_person: int
    sessions_under_way: int
    jobs_per_session: int
    jobs_queued: int
    results_per_export: int
    views_per_person: int
    machines: int
    ollama_url: str
    log_level: str
    log_format: str
    public_read: bool = False
    trusted_proxy: tuple[str, ...] = ()
    proxy_user_header: str | None = None

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach the server."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    @property
    def local_url(self) -> str:
        """Address of the server as this machine reaches it, without a slash at the end."""
        scheme = "https" if self.tls_cert else "http"
        reachable = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)  # noqa: S104  # nosec B104
        return f"{scheme}://[{reachable}]:{self.port}" if ":" in reachable else f"{scheme}://{reachable}:{self.port}"


def read(environ: Mapping[str, str] | None = None, root: Path = ROOT) -> Environment:
    """Reads and checks all variables; raises BadEnvironment. `root` is where `.env` lies and data folders start."""
    given = {**parse_file(root / ".env"), **(os.environ if environ is None else environ)}
    values = {each.name: given.get(each.name, "").strip() or each.default for each in VARIABLES}
    values |= {name: env_values.secret(name, values, root) for name in SECRETS}
    name, password = values["OBT_ADMIN_USERNAME"], values["OBT_ADMIN_PASSWORD"]
    if bool(name) != bool(password):
        raise BadEnvironment("OBT_ADMIN_USERNAME and OBT_ADMIN_PASSWORD go together: set both or neither.")
    if bool(values["OBT_TLS_CERT"]) != bool(values["OBT_TLS_KEY"]):
        raise BadEnvironment("OBT_TLS_CERT and OBT_TLS_KEY go together: set both or neither.")
    if values["OBT_PROXY_USER_HEADER"] and not values["OBT_TRUSTED_PROXY"]:
        raise BadEnvironment("OBT_PROXY_USER_HEADER needs OBT_TRUSTED_PROXY: who else could be believed?")
    return Environment(
        host=_host("OBT_HOST", values["OBT_HOST"]),
        port=_port("OBT_PORT", values["OBT_PORT"]),
        data_dir=(root / Path(values["OBT_DATA_DIR"]).expanduser()).resolve(),
        mongodb_uri=_url("OBT_MONGODB_URI", values["OBT_MONGODB_URI"], ("mongodb", "mongodb+srv")),
        redis_url=_url("OBT_REDIS_URL", values["OBT_REDIS_URL"], ("redis", "rediss", "unix")),
        database_url=_url("DATABASE_URL", values["DATABASE_URL"], DATABASES),
        secret_key=values["OBT_SECRET_KEY"] or None,
        debug=_yes_or_no("OBT_DEBUG", values["OBT_DEBUG"]),
        allowed_hosts=env_values.hosts("OBT_ALLOWED_HOSTS", values["OBT_ALLOWED_HOSTS"]),
        tls_cert=env_values.in_root(values["OBT_TLS_CERT"], root) if values["OBT_TLS_CERT"] else None,
        tls_key=env_values.in_root(values["OBT_TLS_KEY"], root) if values["OBT_TLS_KEY"] else None,
        cors_origins=env_values.origins("OBT_CORS_ORIGINS", values["OBT_CORS_ORIGINS"]),
        admin_username=name or None,
        admin_password=password or None,
        rate_limits=_rates("OBT_RATE_LIMITS", values["OBT_RATE_LIMITS"]),
        sockets_per_person=_number("OBT_SOCKETS_PER_PERSON", values),
        sessions_under_way=_number("OBT_SESSIONS_UNDER_WAY", values),
        jobs_per_session=_number("OBT_JOBS_PER_SESSION", values),
        jobs_queued=_number("OBT_JOBS_QUEUED", values),
        results_per_export=_number("OBT_RESULTS_PER_EXPORT", values),
        views_per_person=_number("OBT_VIEWS_PER_PERSON", values),
        machines=_number("OBT_MACHINES", values),
        ollama_url=_url("OBT_OLLAMA_URL", values["OBT_OLLAMA_URL"], ("http", "https")) or "",
        log_level=_word("OBT_LOG_LEVEL", values["OBT_LOG_LEVEL"].upper(), LOG_LEVELS),
        log_format=_word("OBT_LOG_FORMAT", values["OBT_LOG_FORMAT"].lower(), LOG_FORMATS),
        public_read=_yes_or_no("OBT_PUBLIC_READ", values["OBT_PUBLIC_READ"]),
        trusted_proxy=_networks("OBT_TRUSTED_PROXY", values["OBT_TRUSTED_PROXY"]),
        proxy_user_header=_header("OBT_PROXY_USER_HEADER", values["OBT_PROXY_USER_HEADER"]),
    )


def secret_key(environment: Environment) -> str:
    """The key given, or the one kept in the data folder (mode 0600), made at the first call.

    A command on a folder that is not there, and without a database elsewhere, can store nothing: it gets a key of its
    own and makes no folder. Raises BadEnvironment when the file cannot be read or made.
    """
    if environment.secret_key:
        return environment.secret_key
    if not environment.data_dir.exists() and environment.mongodb_uri is None:
        return secrets.token_urlsafe(SECRET_KEY_BYTES)
    path = environment.data_dir / "secret_key"
    try:
        if not path.exists():
            _write_once(path, secrets.token_urlsafe(SECRET_KEY_BYTES))
        key = path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise BadEnvironment(
            f"The secret key cannot be kept in {path} ({error.strerror}); set OBT_SECRET_KEY."
        ) from None
    if not key:
        raise BadEnvironment(f"{path} is empty: delete it, which signs everybody out, or set OBT_SECRET_KEY.")
    return key


def _write_once(path: Path, text: str) -> None:
    """Makes the file whole or not at all; of two processes at once, the first one's text stays."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".secret_key-")  # made with mode 0600
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text + "\n")
    Path(temporary).chmod(SECRET_KEY_MODE)
    try:
        with contextlib.suppress(FileExistsError):
            os.link(temporary, path)
    except OSError:  # a file system without hard links
        Path(temporary).replace(path)
    finally:
        Path(temporary).unlink(missing_ok=True)


def parse_file(path: Path) -> dict[str, str]:
    """The KEY=VALUE lines of a `.env` file; blank lines and comments are skipped. Raises BadEnvironment."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise BadEnvironment(f"{path} cannot be read: {error}") from None
    pairs = (_parse_line(path, number, line.strip()) for number, line in enumerate(lines, start=1))
    return dict(pair for pair in pairs if pair)


def _parse_line(path: Path, number: int, line: str) -> tuple[str, str] | None:
    if not line or line.startswith("#"):
        return None
    match = re.fullmatch(r"(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*)", line)
    if not match:
        raise BadEnvironment(f"{path}, line {number}: expected NAME=value.")
    return match[1], _unquote(match[2])


def _unquote(value: str) -> str:
    if len(value) > 1 and value[0] in "\"'" and (end := value.find(value[0], 1)) > 0:
        return value[1:end]
    return re.split(r"\s+#", value, maxsplit=1)[0].strip()


def _host(name: str, value: str) -> str:
    bare = value.removeprefix("[").removesuffix("]")
    if not re.fullmatch(r"[A-Za-z0-9.:_-]+", bare) or (":" in bare and not _is_ip(bare)):
        raise BadEnvironment(f"{name} is {value!r}, and has to be an address or a host name, without port or http://.")
    return bare


def _is_ip(value: str) -> bool:
    try:
        ipaddress.ip_address(value)
    except ValueError:
        return False
    return True


def _networks(name: str, value: str) -> tuple[str, ...]:
    """Addresses and networks, each written as a network. One that everybody is in would trust everybody."""
    try:
        found = [ipaddress.ip_network(each.strip(), strict=False) for each in value.split(",") if each.strip()]
        is_usable = all(network.prefixlen > 0 for network in found)
    except ValueError:
        is_usable = False
    if not is_usable:
        raise BadEnvironment(f"{name} is {value!r}, and has to be addresses or networks, such as 10.0.0.5,10.1.0.0/16.")
    return tuple(str(network) for network in found)


def _header(name: str, value: str) -> str | None:
    if value and (not re.fullmatch(r"[A-Za-z][A-Za-z0-9-]*", value) or value.lower() in SPOKEN_FOR):
        raise BadEnvironment(f"{name} is {value!r}, and has to be a header of the proxy's own, such as Remote-User.")
    return value or None


def _port(name: str, value: str) -> int:
    if not re.fullmatch(r"[0-9]{1,5}", value) or not 1 <= int(value) <= HIGHEST_PORT:
        raise BadEnvironment(f"{name} is {value!r}, and has to be a number from 1 to {HIGHEST_PORT}.")
    return int(value)


def _number(name: str, values: Mapping[str, str]) -> int:
    value = values[name]
    if not re.fullmatch(r"[0-9]{1,9}", value, flags=re.ASCII) or not int(value):
        raise BadEnvironment(f"{name} is {value!r}, and has to be a whole number from 1 to 999999999.")
    return int(value)


def _rates(name: str, value: str) -> str | None:
    try:
        rate_table.read(value)
    except ValueError as error:
        raise BadEnvironment(f"{name} is {value!r}, and {error}.") from None
    return value or None


def _yes_or_no(name: str, value: str) -> bool:
    if value.lower() in TRUE_WORDS + FALSE_WORDS:
        return value.lower() in TRUE_WORDS
    raise BadEnvironment(f"{name} is {value!r}, and has to be true or false.")


def _word(name: str, value: str, allowed: tuple[str, ...]) -> str:
    if value not in allowed:
        raise BadEnvironment(f"{name} is {value!r}, and has to be one of {', '.join(allowed)}.")
    return value


def _url(name: str, value: str, schemes: tuple[str, ...]) -> str | None:
    """Checks scheme and host only; the value can hold a password, so no message repeats it."""
    if not value:
        return None
    scheme, separator, rest = value.partition("://")
    if not separator or (schemes and scheme.lower() not in schemes):
        wanted = " or ".join(f"{each}://" for each in schemes) or "its scheme, such as postgres://"
        raise BadEnvironment(f"{name} has to be a URL that starts with {wanted}.")
    if schemes == ("http", "https"):
        return _http_url(name, value)
    if not rest.strip("/"):
        raise BadEnvironment(f"{name} has to be a URL with something after {scheme}://.")
    return value


def _http_url(name: str, value: str) -> str:
    try:
        parts = urlsplit(value)
        usable = bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        usable = False
    if not usable:
        raise BadEnvironment(
            f"{name} has to be a URL with a host and, if any, a valid port, such as http://127.0.0.1:11434."
        )
    return value.rstrip("/")
