"""What bandits learnt, kept across runs in the user's data folder."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from ..cancellation import Cancellation
from ..errors import StorageError
from ..locations import locations, make_private
from ..storage import storage_errors, write_atomically
from ..tools.process_lock import process_lock
from .bandit import Posteriors, Reward

_VERSION: Literal[1] = 1


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    version: Literal[1]
    posteriors: Posteriors


class LearntChoices:
    """The posteriors of one bandit in a file, shared by processes that learn at a time.

    Every update is read, added to and written whole under a lock, so none is lost. A file of
    another version, or a damaged one, is set aside and learning begins anew: it only ever steers
    which way is tried first.
    """

    def __init__(self, name: str, *, folder: Path | None = None) -> None:
        self._folder = folder or locations().state / "learnt"
        self._path = self._folder / f"{name}.json"

    async def load(self) -> Posteriors:
        """What was learnt so far; nothing where there is no file that can be read."""
        return await asyncio.to_thread(self._read)

    async def learn(self, rewards: Sequence[Reward], *, cancel: Cancellation) -> None:
        """Add what was brought.

        Raises:
            StorageError: the disk refused.
            Cancelled: ``cancel`` was set while another process held the file.
        """
        if not rewards:
            return
        make_private(self._folder)
        async with process_lock(self._path.with_suffix(".lock"), cancel=cancel):
            await asyncio.to_thread(self._add, rewards)

    def _add(self, rewards: Sequence[Reward]) -> None:
        if self._path.exists() and self._parsed() is None:
            with storage_errors(self._path):
                self._path.replace(self._path.with_suffix(".unread"))
        learnt = _File(version=_VERSION, posteriors=self._read().updated(rewards))
        write_atomically(self._path, learnt.model_dump_json())

    def _read(self) -> Posteriors:
        return self._parsed() or Posteriors()

    def _parsed(self) -> Posteriors | None:
        try:
            return _File.model_validate_json(self._path.read_bytes()).posteriors
        except FileNotFoundError:
            return None
        except ValidationError:
            return None
        except OSError as error:
            raise StorageError(
                f"cannot read {self._path} ({error.strerror or error})",
                remedy="check its permissions, or remove it",
            ) from error
