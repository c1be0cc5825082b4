"""The whole way of `up`: check, start in order, say what was found, watch, stop in order."""

from __future__ import annotations

import argparse
import logging
import os
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

from obt_site import env
from obt_site.embedded import EmbeddedDatabase
from obt_site.up import checks, given_mongodb, leftovers, prepare, services, tls
from obt_site.up.errors import CannotStart, ChildEnded, StopRequested
from obt_site.up.folder import STOPPING, DataFolder
from obt_site.up.process import POLL_S, Child
from obt_site.up.stopping import StopSignal
from obt_site.up.summary import Summary
from obt_site.up.terminal import Terminal

log = logging.getLogger(__name__)
OWNER_ONLY = 0o077
EXIT_STOPPED = 0
EXIT_REFUSED = 1
WATCH_EVERY_S = 0.5
AGENT_ONLINE_WITHIN_S = 5.0

# How long each part may take to stop; together below the 10 s that a person waits for Ctrl-C.
AGENT_AGAIN_AFTER_S = 3.0
AGENT_STOPS_WITHIN_S = 4.5
SERVER_STOPS_WITHIN_S = 2.0
SIMULATOR_STOPS_WITHIN_S = 1.0
DATABASE_STOPS_WITHIN_S = 2.0


def main(argv: list[str], terminal: Terminal | None = None) -> int:
    """Runs `up` until it is stopped; returns the exit code. Raises BadEnvironment."""
    parser = argparse.ArgumentParser(prog="manage.py up", description="Start OBT: database, server and local agent.")
    parser.add_argument("--no-agent", action="store_true", help="leave the agent of this machine out")
    options = parser.parse_args(argv)
    os.umask(OWNER_ONLY)  # the data folder holds password hashes, sign-ins and every result
    stop = StopSignal()
    stop.listen()
    return Supervisor(env.read(), stop, terminal or Terminal(), with_agent=not options.no_agent).run()


class Supervisor:
    """One `up`: what it holds and the parts it started. Children are started from the main thread only."""

    def __init__(self, environment: env.Environment, stop: StopSignal, terminal: Terminal, *, with_agent: bool) -> None:
        self.environment = environment
        self.stop = stop
        self.terminal = terminal
        self.with_agent = with_agent
        self.folder = DataFolder(environment.data_dir)
        self.database: EmbeddedDatabase | None = None
        self.simulator: Child | None = None
        self.server: Child | None = None
        self.agent: Child | None = None
        self._probe = services.OllamaProbe(None, None)

    def run(self) -> int:
        """Starts everything, watches it and stops it; returns the exit code."""
        try:
            self._claim()
        except CannotStart as error:
            self.terminal.problem(str(error))
            return EXIT_REFUSED
        try:
            self._start()
            self._watch()
        except StopRequested:
            self._stop_all()
            self.terminal.say("stopped")
            return EXIT_STOPPED
        except ChildEnded as error:
            self._stop_all()
            self.terminal.problem(f"{error}\nThe rest was stopped. Everything stored is kept: make up starts again.")
            return EXIT_REFUSED
        except CannotStart as error:
            self._stop_all()
            self.terminal.problem(str(error))
            return EXIT_REFUSED
        finally:
            self._stop_all()
            self.folder.release()

    def _claim(self) -> None:
        """What refuses to start before anything is touched."""
        checks.exposure(self.environment)
        tls.check(self.environment)
        self.folder.claim()
        try:
            checks.port(self.environment, self._data_dir)
        except CannotStart:
            self.folder.abandon()
            raise

    @property
    def _data_dir(self) -> Path:
        return self.environment.data_dir

    # --- starting ----------------------------------------------------------------------------------------------------

    def _start(self) -> None:
        started_at = datetime.now(UTC)
        if leftovers.end_all(self._data_dir):
            self.terminal.step("Ended what a run that was killed had left")
        probe = threading.Thread(target=self._probe_ollama, daemon=True)
        probe.start()
        mongodb_uri = self._start_database()
        probe.join()
        if self.with_agent and self._probe.problem:
            self.simulator = services.simulator(self._data_dir)
            self.simulator.start()
        self.terminal.step("Bringing the stored data to this version")
        prepare.bring_forward(self.environment, mongodb_uri)
        self._start_server()
        client = self._start_agent(started_at) if self.with_agent else None
        self.terminal.say(self._summary(client).text())
        prepare.disconnect()

    def _probe_ollama(self) -> None:
        self._probe = services.probe_ollama(self.environment.ollama_url)

    def _start_database(self) -> str:
        """Starts the embedded database, or tries the given one, and loads Django meanwhile; returns the URI."""
        self.terminal.step("Starting the database")
        self.stop.check()
        if self.environment.mongodb_uri:
            given_mongodb.check(self.environment.mongodb_uri)
            self._load_server(self.environment.mongodb_uri)
            prepare.load_django(self._data_dir)
            return self.environment.mongodb_uri
        self.database = EmbeddedDatabase(self._data_dir)
        self.database.launch()
        expected_uri = self.database.uri
        self._load_server(expected_uri)
        prepare.load_django(self._data_dir)
        uri = self.database.wait_until_ready(self.stop.is_asked)
        self.stop.check()
        if uri != expected_uri and self.server:  # somebody was faster on its port
            self.server.kill()
            self._load_server(uri)
        return uri

    def _load_server(self, mongodb_uri: str) -> None:
        """Starts the server process, which loads meanwhile and listens only when it is let."""
        self.server = services.server(self.environment, self._data_dir, mongodb_uri)
        self.server.start()

    def _start_server(self) -> None:
        self.terminal.step("Starting the server")
        self.stop.check()
        assert self.server is not None
        services.open_gate(self._data_dir)
        services.wait_for_server(self.server, self.environment, self._check)

    def _start_agent(self, started_at: datetime) -> prepare.LocalClient | None:
        self.terminal.step("Starting the agent of this machine")
        self.stop.check()
        url = self.environment.ollama_url
        if self.simulator:
            url = services.simulator_url(self.simulator, self._check)
        state_dir = self._data_dir / "agent"
        self.agent = services.agent(self.environment, self._data_dir, url, prepare.enrolment_token(state_dir))
        self.agent.start()
        deadline = time.monotonic() + AGENT_ONLINE_WITHIN_S
        while not (client := prepare.local_client(state_dir, started_at)) and time.monotonic() < deadline:
            self._check()
            time.sleep(POLL_S)
        return client

    def _summary(self, client: prepare.LocalClient | None) -> Summary:
        kind = f"embedded database: {self.database.kind}" if self.database else ""
        return Summary(
            environment=self.environment,
            database=kind or f"MongoDB at {given_mongodb.hosts(self.environment.mongodb_uri or '')}",
            setup_link=prepare.setup_link(self.environment.local_url),
            with_agent=self.with_agent,
            ollama_problem=self._probe.problem,
            client=client,
        )

    # --- watching and stopping ---------------------------------------------------------------------------------------

    def _parts(self) -> list[Child]:
        """What runs, first to be stopped first."""
        database = self.database.child if self.database and self.database.is_launched else None
        return [part for part in (self.agent, self.server, self.simulator, database) if part]

    def _check(self) -> None:
        """Raises StopRequested or ChildEnded. The database is looked at first: the others fall with it."""
        self.stop.check()
        for part in reversed(self._parts()):
            part.check()

    def _watch(self) -> NoReturn:
        while not self.stop.wait(WATCH_EVERY_S):
            self._check()
        raise StopRequested

    def _stop_all(self) -> None:
        """Stops agent, server, simulator, database, in this order; a second call finds nothing left to do."""
        if self.stop.is_stopping:
            return
        self.stop.is_stopping = True
        self.folder.note(STOPPING)
        log.info("stopping%s", f", asked by {self.stop.asked_by}" if self.stop.asked_by else "")
        if self._parts():
            self.terminal.step("Stopping")
        is_hurried = self._is_hurried
        if self.agent:
            self.agent.stop(AGENT_STOPS_WITHIN_S, AGENT_AGAIN_AFTER_S, is_hurried=is_hurried)
        if self.server:
            self.server.stop(SERVER_STOPS_WITHIN_S, is_hurried=is_hurried)
        if self.simulator:
            self.simulator.stop(SIMULATOR_STOPS_WITHIN_S, is_hurried=is_hurried)
        if self.database:
            self.database.stop(DATABASE_STOPS_WITHIN_S, is_hurried)

    def _is_hurried(self) -> bool:
        return self.stop.is_hurried
