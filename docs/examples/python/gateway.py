"""A client of the gateway: pip install httpx"""

import json
from collections.abc import Iterator

import httpx


class Refused(Exception):
    """What the gateway has refused, or with what it has ended a stream: `errors[0].extensions.code`."""

    def __init__(self, errors: list[dict]):
        super().__init__(errors[0]["message"])
        self.errors = errors


class Gateway:
    def __init__(self, url: str, token: str):
        self.url = url
        # A comment comes at least every `viewer.keepAliveMs`, so that a longer silence is a lost connection.
        self.http = httpx.Client(headers={"authorization": f"Bearer {token}"}, timeout=30)

    def request(self, query: str, variables: dict | None = None) -> dict:
        body = {"query": query, "variables": variables}
        return data_of(self.http.post(self.url, json=body).json())

    def subscribe(self, query: str, variables: dict) -> Iterator[dict]:
        """Yields the data of each event. Resume with `after`: the `cursor` of the last one."""
        body = {"query": query, "variables": variables}
        headers = {"accept": "text/event-stream"}
        with self.http.stream("POST", self.url, json=body, headers=headers) as response:
            event = data = ""
            for line in response.iter_lines():
                name, _, value = line.partition(": ")
                if name == "event":
                    event = value
                elif name == "data":
                    data = value
                elif line == "":
                    if event == "complete":
                        return
                    if event == "next":
                        yield data_of(json.loads(data))
                    event = data = ""
        raise httpx.ReadError("the stream was closed before its end: resume it")

    def upload(self, query: str, variables: dict, name: str, content: bytes) -> dict:
        form = {
            "operations": json.dumps({"query": query, "variables": variables}),
            "map": '{"0":["variables.input.file"]}',
        }
        headers = {"graphql-require-preflight": "1"}
        files = {"0": (name, content, "text/plain")}
        return data_of(self.http.post(self.url, data=form, files=files, headers=headers).json())


def data_of(result: dict) -> dict:
    if "errors" in result:
        raise Refused(result["errors"])
    return result["data"]
