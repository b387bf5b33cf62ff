"""Our InfiniRetri beside the published package, on small data."""

from __future__ import annotations

from pathlib import Path

import pytest

from leadline.cancellation import Cancellation
from leadline.errors import Cancelled, ConfigError, ReadingError
from leadline.evals.multihop import read_musique
from leadline.evals.published import ONE_WINDOW_CHARS, compare, text_of
from leadline.evals.reference_reader import why_not
from leadline.progress import silent
from leadline.runtime.catalogue import ModelFiles

from ..runtime.tiny_models import make_model, write_gguf
from .tiny_data import write_multihop


@pytest.fixture
def files(tmp_path: Path) -> ModelFiles:
    path = write_gguf(make_model("qwen2", context=2048), tmp_path / "tiny.gguf")
    return ModelFiles("tiny", "generator", tmp_path, path, sha256=None, context_length=None)


def run(folder: Path, files: ModelFiles, cancel: Cancellation) -> None:
    compare(folder, files, limit=1, precision="float32", cancel=cancel, progress=silent)


def test_paragraphs_are_taken_whole_while_they_fit(tmp_path: Path) -> None:
    [item, *_] = read_musique(write_multihop(tmp_path / "multihop"))
    texts = [f"{passage.titled_text}\n\n" for passage in item.passages]
    assert text_of(item, None) == "".join(texts)
    assert text_of(item, ONE_WINDOW_CHARS) == "".join(texts)
    longest = max(len(text) for text in texts)
    assert text_of(item, longest) in texts
    assert text_of(item, min(len(text) for text in texts) - 1) == ""


def test_a_stop_before_the_first_process(tmp_path: Path, files: ModelFiles) -> None:
    cancel = Cancellation()
    cancel.cancel()
    with pytest.raises(Cancelled):
        run(write_multihop(tmp_path / "multihop"), files, cancel)


def test_what_is_missing_is_named(tmp_path: Path, files: ModelFiles) -> None:
    with pytest.raises(ConfigError, match=r"musique_train\.json"):
        run(tmp_path, files, Cancellation())
    # A model without a chat template, or a machine without the package.
    reason = "no chat template" if why_not() is None else "infini_retri cannot be imported"
    with pytest.raises((ReadingError, ConfigError), match=reason):
        run(write_multihop(tmp_path / "multihop"), files, Cancellation())
