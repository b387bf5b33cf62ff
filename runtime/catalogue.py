"""The local models that Leadline knows: what they are, which bytes they are, where they lie.

A catalogue entry pins each file by its SHA-256. Where the digest isn't known, the file is pinned
on its first download: its digest is recorded beside it and holds from then on.
"""

from __future__ import annotations

import difflib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ..cancellation import Cancellation
from ..errors import ConfigError, InputError, ModelCorrupt, ModelMissing
from ..locations import Locations, locations
from ..progress import Progress, silent
from .catalogue_entries import CATALOGUE, CatalogueEntry, CatalogueFile, Kind
from .partials import file_size, partial_path, read_origin, truncate
from .stamps import digest, read_stamp, write_stamp

StateWord = Literal["ready", "unchecked", "partial", "not here"]


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """A model on this machine, verified."""

    id: str
    """The catalogue's id, or the path that was given."""
    kind: Kind
    folder: Path
    weights: Path
    """The GGUF or safetensors file."""
    sha256: str | None
    """Digest of the weights; None for a file of the user's own, which was not read."""
    context_length: int | None
    """Tokens; None for a file of the user's own."""

    @property
    def path(self) -> Path:
        """What a library is given to load: the GGUF file, or the folder."""
        return self.weights if self.weights.suffix == ".gguf" else self.folder


@dataclass(frozen=True, slots=True)
class ModelState:
    """How much of a model is on this machine, told without reading it."""

    word: StateWord
    """``unchecked``: files are there that :func:`resolve` will have to read."""
    done: int = 0
    """Bytes on the disk."""
    total: int | None = None


def find(model_id: str) -> CatalogueEntry:
    """The catalogue's entry of that id.

    Raises:
        ConfigError: there is none; names the nearest id.
    """
    if model_id in CATALOGUE:
        return CATALOGUE[model_id]
    near = difflib.get_close_matches(model_id, CATALOGUE, n=1, cutoff=0.0)
    remedy = "leadline models list shows those that there are"
    raise ConfigError(
        f"no model is called '{model_id}'",
        remedy=f"did you mean '{near[0]}'? {remedy}" if near else remedy,
    )


def resolve(model: str, *, places: Locations | None = None) -> ModelFiles:
    """The files of a model, by catalogue id or by the path of a GGUF file.

    Sizes and times are compared at each call; a file is read in full only when they disagree with
    what was recorded. A truncated or altered file is removed.

    Raises:
        ConfigError: no such id.
        InputError: no file at that path, or it is no GGUF file.
        ModelMissing: the model, or a file of it, is not on this machine.
        ModelCorrupt: a file is truncated or altered.
    """
    if model not in CATALOGUE and (model.endswith(".gguf") or os.sep in model):
        return _own_file(model)
    return _model_files(find(model), places or locations(), trust_stamps=True)


def verify(
    model_id: str,
    *,
    places: Locations | None = None,
    cancel: Cancellation | None = None,
    progress: Progress = silent,
) -> ModelFiles:
    """As :func:`resolve`, but every file is read and its digest compared. Blocks.

    Raises:
        Cancelled: ``cancel`` was set meanwhile.
    """
    return _model_files(
        find(model_id),
        places or locations(),
        trust_stamps=False,
        cancel=cancel,
        progress=progress,
    )


def model_state(entry: CatalogueEntry, places: Locations | None = None) -> ModelState:
    """How much of the model is here. Reads no file but the stamps."""
    folder = model_folder(entry, places or locations())
    paths = [folder / file.name for file in entry.files]
    done = sum(file_size(path) or file_size(partial_path(path)) for path in paths)
    if not all(path.is_file() for path in paths):
        word: StateWord = "partial" if done else "not here"
        return ModelState(word, done, entry.bytes or _announced_bytes(paths))
    known = all(stamped_digest(file, folder / file.name) for file in entry.files)
    return ModelState("ready" if known else "unchecked", done, entry.bytes or done)


def model_folder(entry: CatalogueEntry, places: Locations) -> Path:
    return places.models / entry.id


def stamped_digest(file: CatalogueFile, path: Path) -> str | None:
    """The digest in the stamp of ``path``, if file, stamp and catalogue agree; else None."""
    stamp = read_stamp(path)
    if stamp is None or not path.is_file() or not stamp.fits(path):
        return None
    return stamp.sha256 if file.sha256 in (None, stamp.sha256) else None


def check_file(
    entry: CatalogueEntry,
    file: CatalogueFile,
    path: Path,
    *,
    pin: str | None,
    cancel: Cancellation | None = None,
    progress: Progress = silent,
) -> str:
    """Read the file at ``path`` and return its digest.

    Raises:
        ModelCorrupt: its size, or its digest, is not the expected one (``pin``), and it was
            removed; or it cannot be read.
    """
    remedy = f"leadline models pull {entry.id}"
    size = file_size(path)
    if file.bytes is not None and size < file.bytes:
        truncate(path, 0)
        problem = f"is truncated: it has {size:,} bytes of {file.bytes:,}"
        raise ModelCorrupt(f"'{file.name}' of '{entry.id}' {problem}", remedy=remedy)
    try:
        task = f"checking {file.name}"
        actual = digest(path, task=task, cancel=cancel, progress=progress)
    except OSError as error:
        problem = f"'{file.name}' of '{entry.id}' cannot be read ({error.strerror})"
        raise ModelCorrupt(problem, remedy=f"check the permissions of {path}") from error
    if pin is not None and actual != pin:
        truncate(path, 0)
        problem = f"is altered: its SHA-256 is {actual}, expected {pin}"
        raise ModelCorrupt(f"'{file.name}' of '{entry.id}' {problem}", remedy=remedy)
    return actual


def pinned_digest(file: CatalogueFile, path: Path) -> str | None:
    """What the file at ``path`` must be: the catalogue's digest, or that of its first download."""
    stamp = read_stamp(path)
    return file.sha256 or (stamp.sha256 if stamp else None)


def _model_files(
    entry: CatalogueEntry,
    places: Locations,
    *,
    trust_stamps: bool,
    cancel: Cancellation | None = None,
    progress: Progress = silent,
) -> ModelFiles:
    folder = model_folder(entry, places)
    pins = {file.name: pinned_digest(file, folder / file.name) for file in entry.files}
    if not all((folder / name).is_file() and pin for name, pin in pins.items()):
        raise ModelMissing(
            f"model '{entry.id}' is not on this machine",
            remedy=f"leadline models pull {entry.id}",
        )
    digests = []
    for file in entry.files:
        path = folder / file.name
        known = stamped_digest(file, path) if trust_stamps else None
        if known is None:
            pin = pins[file.name]
            known = check_file(entry, file, path, pin=pin, cancel=cancel, progress=progress)
            write_stamp(path, known)
        digests.append(known)
    return ModelFiles(
        id=entry.id,
        kind=entry.kind,
        folder=folder,
        weights=folder / entry.files[0].name,
        sha256=digests[0],
        context_length=entry.context_length,
    )


def _own_file(model: str) -> ModelFiles:
    path = Path(model).expanduser().absolute()
    try:
        with path.open("rb") as file:
            magic = file.read(4)
    except OSError as error:
        raise InputError(
            f"cannot read the model {path} ({error.strerror})", remedy="give a GGUF file"
        ) from error
    if magic != b"GGUF":
        raise InputError(f"{path} is not a GGUF file", remedy="give a GGUF file")
    return ModelFiles(
        id=model,
        kind="generator",
        folder=path.parent,
        weights=path,
        sha256=None,
        context_length=None,
    )


def _announced_bytes(paths: list[Path]) -> int | None:
    """What the server said of the whole, for a model of one file."""
    if len(paths) != 1:
        return None
    origin = read_origin(partial_path(paths[0]))
    return origin.total if origin else None
