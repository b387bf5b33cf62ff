"""An endpoint that answers every request with an object of the schema asked for.

It says yes to what is asked, names the first passage, and copies that passage's first sentence: so
research runs without a model, and ends as it would with a good one.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

_PASSAGE = re.compile(r"^\[1\] (?:\([^)]*\) )?(.+?[.。])(?:\s|$)", re.MULTILINE)
_NO = frozenset(["fork", "forks", "ambiguous", "unclear"])


def instance(schema: dict[str, Any], prompt: str) -> Any:
    """A valid object of ``schema`` whose texts come from ``prompt``."""
    return _value("", schema, schema.get("$defs", {}), prompt)


def _value(name: str, schema: dict[str, Any], defs: dict[str, Any], prompt: str) -> Any:
    if "$ref" in schema:
        return _value(name, defs[schema["$ref"].rpartition("/")[2]], defs, prompt)
    if "enum" in schema or "const" in schema:
        return schema.get("enum", [schema.get("const")])[0]
    for several in ("anyOf", "oneOf"):
        if several in schema:
            return _value(name, schema[several][0], defs, prompt)
    match schema.get("type"):
        case "object":
            fields = schema.get("properties", {})
            return {key: _value(key, field, defs, prompt) for key, field in fields.items()}
        case "array":
            return [_value(name, schema.get("items", {"type": "string"}), defs, prompt)]
        case "boolean":
            return name not in _NO
        case "integer" | "number":
            return max(1, schema.get("minimum", 1))
        case _:
            found = _PASSAGE.search(prompt)
            text = found[1] if found else prompt.rpartition("Question: ")[2]
            return text.split("\n")[0][: min(200, schema.get("maxLength", 200))]


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    seconds = 0.0
    """Until it answers."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        self._send("application/json", json.dumps({"data": [{"id": "willing"}]}))

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if not self.path.endswith("/chat/completions"):
            self.send_error(404)
            return
        time.sleep(self.server.seconds)
        prompt = request["messages"][-1]["content"]
        schema = request.get("response_format", {}).get("json_schema", {}).get("schema")
        text = json.dumps(instance(schema, prompt)) if schema else "yes"
        usage = {"prompt_tokens": len(prompt) // 4, "completion_tokens": len(text) // 4}
        chunk = {
            "choices": [{"index": 0, "delta": {"content": text}, "finish_reason": "stop"}],
            "usage": usage,
        }
        if request.get("stream"):
            self._send("text/event-stream", f"data: {json.dumps(chunk)}\n\ndata: [DONE]\n\n")
            return
        message = {"role": "assistant", "content": text}
        whole = {
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
            "usage": usage,
        }
        self._send("application/json", json.dumps(whole))

    def _send(self, media_type: str, body: str) -> None:
        data = body.encode()
        self.send_response(200)
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        with suppress(BrokenPipeError):
            self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        """Keep stderr for the programme."""


@contextmanager
def willing_endpoint(*, seconds: float = 0.0) -> Iterator[str]:
    """The base URL of one that is up, and takes ``seconds`` for an answer."""
    server = _Server(("127.0.0.1", 0), _Handler)
    server.seconds = seconds
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1"
    finally:
        server.shutdown()
        server.server_close()
