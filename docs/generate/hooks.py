"""Pages of the site that are written from the code each time it is built."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

_HERE = Path(__file__).parent
_GENERATED = {
    "reference/cli.md": "cli_reference",
    "reference/settings.md": "settings_reference",
    "reference/events.md": "events_reference",
    "reference/python.md": "python_reference",
    "explanation/layers.svg": "layers",
}
_COPIED = {"changelog.md": "CHANGELOG.md"}


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Add the generated pages to those in the folder."""
    for uri, module in _GENERATED.items():
        write: Callable[[], str] = _load(module).page
        files.append(File.generated(config, uri, content=write()))
    for uri, source in _COPIED.items():
        text = (_HERE.parents[1] / source).read_text()
        files.append(File.generated(config, uri, content=text))
    return files


def _load(name: str) -> ModuleType:
    """A module beside this one; hooks are no package."""
    spec = importlib.util.spec_from_file_location(name, _HERE / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
