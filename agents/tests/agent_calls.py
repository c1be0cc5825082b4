"""What an agent sends, over real HTTP, for tests of the agent-facing API."""

from typing import Any

import requests

from agent.obt_agent import wire
from agents import enrolment
from obt_site.tests.server import RunningServer

TIMEOUT_S = 30


class Machine:
    """One enrolled machine as the server sees it from outside."""

    def __init__(self, server: RunningServer, name: str = "forge") -> None:
        self.server = server
        token, _ = enrolment.create_token()
        body = {"token": token, "hostname": name, "agent_version": "0.1.0", "protocol": 1}
        answer = requests.post(f"{server.url}/api/v1/agent/register", json=body, timeout=TIMEOUT_S)
        assert answer.status_code == 201, answer.text
        self.client, self.credential = answer.json()["client"], answer.json()["credential"]

    def call(self, method: str, path: str, body: Any = None, **more: Any) -> requests.Response:
        headers = {"Authorization": f"Bearer {self.credential}", "Content-Type": "application/json"}
        data = more.pop("data", None) or wire.dumps(body)
        headers |= more.pop("headers", {})
        url = f"{self.server.url}/api/v1/agent/{path}"
        return requests.request(method, url, data=data, headers=headers, timeout=TIMEOUT_S, **more)

    def sync(self, body: Any) -> requests.Response:
        return self.call("POST", "sync", body)
