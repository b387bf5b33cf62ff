from __future__ import annotations

from pathlib import Path

import gguf
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from leadline.errors import ModelCorrupt, ModelMissing
from leadline.runtime.gguf_header import read_header


def write_gguf(path: Path, *, template: str | None = "{{ messages }}") -> Path:
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_context_length(2048)
    writer.add_token_list(["<s>", "a", "語"])
    writer.add_token_scores([0.0, 1.0, 2.0])
    if template is not None:
        writer.add_chat_template(template)
    writer.add_tensor("token_embd.weight", np.arange(96, dtype=np.float32).reshape(3, 32))
    writer.add_tensor("output_norm.weight", np.ones(32, dtype=np.float16))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_gguf(tmp_path / "model.gguf")


def test_what_a_file_says_about_itself(model: Path, tmp_path: Path) -> None:
    header = read_header(model)
    assert header.architecture == "llama"
    assert header.context_length == 2048
    assert header.chat_template == "{{ messages }}"
    assert header.tensor_count == 2
    base = write_gguf(tmp_path / "base.gguf", template=None)
    assert read_header(base).chat_template is None


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ModelMissing, match="No such file"):
        read_header(tmp_path / "none.gguf")
    with pytest.raises(ModelMissing):
        read_header(tmp_path)


@pytest.mark.parametrize("content", [b"", b"GG", b"<html>not found</html>", b"GGUF" + b"\xff" * 99])
def test_a_file_that_is_something_else(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(content)
    with pytest.raises(ModelCorrupt, match=r"model\.gguf is damaged.*models pull"):
        read_header(path)


shared_folder = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


@shared_folder
@given(data=st.data())
def test_a_file_cut_anywhere_is_damaged(model: Path, data: st.DataObject) -> None:
    whole = model.read_bytes()
    # the writer pads the last tensor, and a file may do without that
    cut = model.with_name("cut.gguf")
    cut.write_bytes(whole[: data.draw(st.integers(0, len(whole) - 32))])
    with pytest.raises(ModelCorrupt):
        read_header(cut)


@shared_folder
@given(data=st.data())
def test_altered_bytes_end_in_an_answer_or_in_modelcorrupt(
    model: Path, data: st.DataObject
) -> None:
    altered = bytearray(model.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        altered[data.draw(st.integers(0, len(altered) - 1))] = data.draw(st.integers(0, 255))
    path = model.with_name("altered.gguf")
    path.write_bytes(altered)
    try:
        assert read_header(path).tensor_count >= 0
    except ModelCorrupt as error:
        assert "altered.gguf" in error.problem
