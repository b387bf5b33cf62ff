"""Settings: environment over project file over user file over default.

Command-line flags override all of these. Files are TOML: ``leadline.toml`` in the working folder,
then ``settings.toml`` in the user's configuration folder.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from .errors import ConfigError
from .locations import locations

PROJECT_FILE = Path("leadline.toml")

READING_TOKENS = 4608
"""About thirty paragraphs: with fewer the later hops of a question are missed."""


class Settings(BaseSettings):
    """Every setting, with its default. ``LEADLINE_MODEL=…`` sets ``model``, and so on."""

    model_config = SettingsConfigDict(env_prefix="LEADLINE_", extra="ignore", frozen=True)

    model: str = "qwen2.5-coder-1.5b"
    """Plans and writes: a catalogue id, the path of a GGUF file, or the endpoint's model."""
    reader: str = "qwen2.5-coder-0.5b"
    """Reads by attention: a catalogue id; ``none`` takes the first stage's passages as they are."""
    embedder: str = "all-minilm-l6-v2"
    """Embeds passages of corpora: a catalogue id; ``none`` leaves search to BM25."""
    endpoint: str | None = None
    """Base URL of an OpenAI-compatible endpoint (``http://127.0.0.1:8000/v1``) to use as model."""
    endpoint_key: SecretStr | None = None
    """Key for the endpoint."""
    context_tokens: int | None = Field(default=None, ge=1024)
    """Window of the model, prompt and answer together; None is what an endpoint says, or 8192."""
    reading_tokens: int = Field(default=READING_TOKENS, ge=256)
    """Tokens that the reader's attention goes over for one sub-question."""
    window_cache_gb: float = Field(default=4.0, ge=0)
    """Disk for what was read of pages, so that the next question need not read them again."""
    seconds: float | None = Field(default=None, gt=0)
    """Wall-clock budget of a run."""
    search_backends: tuple[str, ...] = ("ddgs",)
    """Web search backends, fused: ``ddgs`` and ``searxng``; ``wikipedia``, ``arxiv`` and
    ``crossref``; with a key each ``brave``, ``tavily``, ``serper`` and ``exa``; ``mcp:NAME`` or
    ``mcp:NAME/TOOL`` for one of ``mcp_servers``."""
    mcp_servers: dict[str, str] = Field(default_factory=dict)
    """MCP servers that may be search backends, by name: an http(s) address, or a command line."""
    search_urls: dict[str, str] = Field(default_factory=dict)
    """Other addresses to ask instead of the services' own, by backend; they may be local."""
    contact: str | None = None
    """A mail address that is told to services which ask for one (Crossref, arXiv, Wikipedia)."""
    searxng_url: str | None = None
    """Base URL of a SearXNG server."""
    reuse_seconds: float = Field(default=3600.0, ge=0)
    """Web pages and search results that are younger are taken as they are kept, without a request."""
    offline: bool = False
    """Take web pages and search results as they are kept, however old, and ask for nothing."""
    page_store_gb: float = Field(default=10.0, gt=0)
    """Disk for pages; those not used for longest go, but none that a run or a corpus needs."""
    render: Literal["never", "needed"] = "never"
    """``needed`` runs the scripts of pages that say nothing without them, in Chromium."""
    browser: str | None = None
    """Path of Chromium; None looks for it."""
    backends_per_question: int | None = Field(default=None, ge=1)
    """How many search backends are asked for a sub-question, chosen by what they say that they
    find; None asks all. Corpora are always searched."""
    allow_hosts: tuple[str, ...] = ()
    """Private hosts (``host`` or ``host:port``) that may be fetched all the same."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        files = (PROJECT_FILE, locations().config / "settings.toml")
        return (
            init_settings,
            env_settings,
            *(TomlConfigSettingsSource(settings_cls, file) for file in files),
        )


def load_settings(**typed: object) -> Settings:
    """The settings in force; ``typed`` are flags, of which None means "not given".

    Raises:
        ConfigError: a value cannot be used, or a file cannot be read.
    """
    given = {name: value for name, value in typed.items() if value is not None}
    try:
        return Settings(**given)  # type: ignore[arg-type]
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        raise ConfigError(
            f"setting {name!r} cannot be used ({first['msg']})",
            remedy=f"change it in the environment (LEADLINE_{name.upper()}) or in leadline.toml",
        ) from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"a settings file is not valid TOML ({error})") from error
