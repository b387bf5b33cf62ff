"""Settings: flags and arguments over environment over project file over user file over default.

Files are TOML: ``leadline.toml`` in the working folder (or ``[tool.leadline]`` in its
``pyproject.toml``), then ``settings.toml`` in the user's configuration folder.
"""

from __future__ import annotations

import difflib
import json
import os
from collections.abc import Iterable
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from .errors import ConfigError
from .setting_files import SettingsFile, settings_files

ENVIRONMENT_PREFIX = "LEADLINE_"

READING_TOKENS = 4608
"""About thirty paragraphs: with fewer the later hops of a question are missed."""

_SIMILAR = 0.8
"""How much a variable must resemble a setting's to be taken for a slip of the pen."""


def _names(value: object) -> object:
    """``a, b`` or ``["a", "b"]``, as they stand in the environment."""
    if not isinstance(value, str):
        return value
    if value.lstrip().startswith("["):
        return _json(value)
    return [part.strip() for part in value.split(",") if part.strip()]


def _pairs(value: object) -> object:
    """``a=x, b=y`` or ``{"a": "x"}``, as they stand in the environment."""
    if not isinstance(value, str):
        return value
    if value.lstrip().startswith("{"):
        return _json(value)
    parts = [part.partition("=") for part in value.split(",") if part.strip()]
    if not all(equals for _, equals, _ in parts):
        raise ValueError("give name=value, parted by commas")
    return {name.strip(): text.strip() for name, _, text in parts}


def _json(text: str) -> object:
    try:
        value: object = json.loads(text)
    except ValueError as error:
        raise ValueError("it is not valid JSON") from error
    return value


Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_names)]
"""Several names; in the environment and on the command line parted by commas."""
Pairs = Annotated[dict[str, str], NoDecode, BeforeValidator(_pairs)]
"""Names with a value each; in the environment ``name=value``, parted by commas."""


class Settings(BaseSettings):
    """Every setting, with its default. ``LEADLINE_MODEL=…`` sets ``model``, and so on."""

    model_config = SettingsConfigDict(
        env_prefix=ENVIRONMENT_PREFIX, extra="ignore", frozen=True, use_attribute_docstrings=True
    )

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
    search_backends: Names = ("ddgs",)
    """Web search backends, fused: ``ddgs`` and ``searxng``; ``wikipedia``, ``arxiv`` and
    ``crossref``; with a key each ``brave``, ``tavily``, ``serper`` and ``exa``; ``mcp:NAME`` or
    ``mcp:NAME/TOOL`` for one of ``mcp_servers``."""
    mcp_servers: Pairs = Field(default_factory=dict)
    """MCP servers that may be search backends, by name: an http(s) address, or a command line."""
    search_urls: Pairs = Field(default_factory=dict)
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
    allow_hosts: Names = ()
    """Private hosts (``host`` or ``host:port``) that may be fetched all the same."""
    theme: str = "textual-dark"
    """Colours of the terminal application, by the theme's name."""
    keymap: dict[str, str] = Field(default_factory=dict)
    """Other keys for actions of the terminal application, by the action's id."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        files = (InitSettingsSource(settings_cls, dict(file.values)) for file in checked_files())
        return (init_settings, env_settings, *files)


def load_settings(**typed: object) -> Settings:
    """The settings in force; ``typed`` are flags, of which None means "not given".

    Raises:
        ConfigError: a value cannot be used, a file cannot be read, or a name is no setting's.
    """
    given = {name: value for name, value in typed.items() if value is not None}
    for name in given:
        check_name(name)
    _check_environment()
    try:
        return Settings(**given)  # type: ignore[arg-type]
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        name = str(first["loc"][0])
        raise ConfigError(
            f"setting {'.'.join(map(str, first['loc']))!r} cannot be used ({first['msg']})",
            remedy=f"change it in {' or '.join(places_of(name, given)) or 'your settings'}",
        ) from error


def places_of(name: str, given: Iterable[str] = ()) -> list[str]:
    """Where the setting ``name`` has a value other than its default, the place that wins first.

    ``given`` are the names of what was typed.
    """
    places = ["what was typed"] if name in given else []
    if variable_of(name) in os.environ:
        places.append(variable_of(name))
    return places + [str(file.path) for file in checked_files() if name in file.values]


def variable_of(name: str) -> str:
    """The environment variable of a setting."""
    return ENVIRONMENT_PREFIX + name.upper()


def is_secret(name: str) -> bool:
    """Whether a setting is masked wherever it is shown."""
    return SecretStr in _parts(Settings.model_fields[name].annotation)


def check_name(name: str, *, place: str = "") -> None:
    """Raises ConfigError, with the nearest name there is, unless ``name`` is a setting's."""
    if name in Settings.model_fields:
        return
    near = difflib.get_close_matches(name, Settings.model_fields, n=1)
    raise ConfigError(
        f"there is no setting {name!r}{place and f', which stands in {place}'}",
        remedy=f"did you mean {near[0]!r}?" if near else "see `leadline config show`",
    )


def checked_files() -> list[SettingsFile]:
    """The settings files.

    Raises:
        ConfigError: a file cannot be read, names what is no setting, or lets others read a secret.
    """
    files = settings_files()
    for file in files:
        for name in file.values:
            check_name(name, place=str(file.path))
            if file.readable_by_others and is_secret(name):
                raise ConfigError(
                    f"others can read {name!r} in {file.path}",
                    remedy=f"chmod 600 {file.path}, or set {variable_of(name)} instead",
                )
    return files


def _check_environment() -> None:
    """Raises ConfigError for a variable that looks like a setting's and is none."""
    for variable in os.environ:
        name = variable.removeprefix(ENVIRONMENT_PREFIX).lower()
        if not variable.startswith(ENVIRONMENT_PREFIX) or name in Settings.model_fields:
            continue
        near = difflib.get_close_matches(name, Settings.model_fields, n=1, cutoff=_SIMILAR)
        # Keys of services have variables of their own: LEADLINE_BRAVE_KEY.
        if near and name.endswith("_key") == is_secret(near[0]):
            raise ConfigError(
                f"the environment has {variable}, which sets nothing",
                remedy=f"did you mean {variable_of(near[0])}?",
            )


def _parts(annotation: Any) -> tuple[Any, ...]:
    return getattr(annotation, "__args__", (annotation,))
