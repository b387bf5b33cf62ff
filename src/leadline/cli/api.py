"""``leadline api``: an OpenAI-compatible endpoint whose answers are researched."""

from __future__ import annotations

from typing import Any

import click

from .serving_options import serving_options
from .terminal import note


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=8321, show_default=True)
@serving_options
def api(host: str, port: int, **options: Any) -> None:
    """Serve chat completions at http://HOST:PORT/v1; the user's last message is the question.

    Beyond this machine a key is required: LEADLINE_API_KEY, or `api` in keys.toml.
    """
    from ..extras import import_extra
    from ..integrations.openai_api import build_app
    from ..keys import find_key
    from .serving_options import open_client

    uvicorn = import_extra("uvicorn", extra="api", purpose="the endpoint")
    key = find_key("api")
    app = build_app(open_client(**options), host=host, key=key.get_secret_value() if key else None)
    note(f"serving http://{host}:{port}/v1{' to holders of the key' if key else ''}")
    uvicorn.run(app, host=host, port=port, log_level="warning")
