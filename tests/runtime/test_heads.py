"""Head tables: those that ship, and the user's own."""

from __future__ import annotations

from datetime import date

import pytest

from leadline.errors import ReadingError
from leadline.runtime.catalogue import find
from leadline.runtime.heads import (
    CalibrationData,
    Head,
    HeadTable,
    ScoredHead,
    find_head_table,
    own_table_path,
    save_head_table,
    shipped_head_tables,
)
from leadline.storage import write_atomically

DIGEST = "ab" * 32


def table(sha256: str = DIGEST) -> HeadTable:
    return HeadTable(
        model_id="mine",
        gguf_sha256=sha256,
        heads=(ScoredHead(layer=3, head=1, score=0.9), ScoredHead(layer=5, head=0, score=0.8)),
        calibrated_on=(CalibrationData(name="mine", sha256="0", questions=2, passages=20),),
        created=date(2026, 1, 1),
    )


def test_shipped_tables_are_of_catalogue_models_and_say_where_they_come_from() -> None:
    tables = shipped_head_tables()
    assert [t.model_id for t in tables] == sorted(t.model_id for t in tables)
    for shipped in tables:
        assert find(shipped.model_id).files[0].sha256 == shipped.gguf_sha256
        assert find_head_table(shipped.gguf_sha256) == shipped
        assert sum(data.questions for data in shipped.calibrated_on) >= 30
        scores = [head.score for head in shipped.heads]
        assert scores == sorted(scores, reverse=True)
        assert len(set(shipped.decoder_heads)) == len(shipped.heads)


def test_the_exit_layer_is_the_last_one_with_a_head() -> None:
    assert table().exit_layer == 5
    assert table().decoder_heads == [Head(3, 1), Head(5, 0)]


def test_the_users_own_table_comes_first() -> None:
    [shipped, *_] = shipped_head_tables()
    own = table(shipped.gguf_sha256)
    path = save_head_table(own)
    assert path == own_table_path(shipped.gguf_sha256)
    assert find_head_table(shipped.gguf_sha256) == own
    write_atomically(path, "{}")
    with pytest.raises(ReadingError, match="calibrate again"):
        find_head_table(shipped.gguf_sha256)


def test_a_model_without_a_table_is_told_which_have_one() -> None:
    with pytest.raises(ReadingError, match=r"abababababab.*qwen2\.5-coder-0\.5b"):
        find_head_table(DIGEST)
