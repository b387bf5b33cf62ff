"""Nearest neighbours by key, on disk."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from leadline.errors import CorpusError, StorageError
from leadline.tools.vector_index import VectorIndex


def unit(*values: float) -> np.ndarray:
    vector = np.array(values, dtype=np.float32)
    scaled: np.ndarray = vector / np.linalg.norm(vector)
    return scaled


def test_nearest_first_by_cosine_and_kept_on_disk(tmp_path: Path) -> None:
    index = VectorIndex(tmp_path / "vectors")
    assert index.search(unit(1, 0, 0), 3) == []
    index.upsert([7, 8, 9], np.stack([unit(1, 0, 0), unit(1, 1, 0), unit(0, 0, 1)]))
    found = index.search(unit(1, 0.1, 0), 2)
    assert [key for key, _ in found] == [7, 8]
    assert found[0][1] == pytest.approx(float(unit(1, 0, 0) @ unit(1, 0.1, 0)), abs=1e-5)
    index.close()
    again = VectorIndex(tmp_path / "vectors")
    assert [key for key, _ in again.search(unit(0, 0, 1), 1)] == [9]
    again.close()


def test_upsert_replaces_and_remove_forgets(tmp_path: Path) -> None:
    index = VectorIndex(tmp_path)
    index.upsert([1, 2], np.stack([unit(1, 0), unit(0, 1)]))
    index.upsert([1], unit(0, 1).reshape(1, -1))
    index.remove([2, 77])
    assert len(index) == 1
    key, similarity = index.search(unit(0, 1), 5)[0]
    assert key == 1 and similarity == pytest.approx(1.0, abs=1e-5)
    index.close()


def test_many_vectors_go_in_batches(tmp_path: Path) -> None:
    vectors = np.random.default_rng(0).normal(size=(2500, 8)).astype(np.float32)
    index = VectorIndex(tmp_path)
    index.upsert(range(2500), vectors)
    assert len(index) == 2500
    assert index.search(vectors[1234], 1)[0][0] == 1234
    index.remove(range(2500))
    assert len(index) == 0
    index.close()


def test_wrong_dimensions_are_an_error(tmp_path: Path) -> None:
    index = VectorIndex(tmp_path)
    index.upsert([1], unit(1, 0).reshape(1, -1))
    with pytest.raises(CorpusError, match="cannot be used"):
        index.upsert([2], unit(1, 0, 0).reshape(1, -1))
    index.close()


def test_damaged_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "chroma.sqlite3").write_bytes(b"no database at all" * 500)
    with pytest.raises(CorpusError, match=r"vector index .* cannot be used") as caught:
        VectorIndex(tmp_path)
    assert "index the corpus again" in caught.value.remedy


def test_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError):
        VectorIndex(tmp_path / "file" / "vectors")


def test_nothing_phones_home_and_no_model_is_fetched(tmp_path: Path) -> None:
    script = """
import socket, sys
from pathlib import Path

def refuse(self, address):
    if self.family != socket.AF_UNIX:
        print("connected to", address)
        raise OSError("no network")

socket.socket.connect = refuse
import numpy as np
from leadline.tools.vector_index import VectorIndex

index = VectorIndex(Path(sys.argv[1]))
index.upsert([1], np.ones((1, 3), dtype=np.float32))
index.search(np.ones(3, dtype=np.float32), 1)
index.close()
assert "onnxruntime" not in sys.modules
"""
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
