"""Finding a model's heads, in one of three ways, as a head table."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from pathlib import Path

from ..cancellation import Cancellation
from ..errors import ConfigError
from ..kernels.tiers import select
from ..progress import Progress, silent
from .attention_method import calibrated_heads
from .calibration import CalibrationQuestion, choose_heads
from .calibration_copying import copy_tasks, copying_heads, describe_tasks
from .calibration_repeats import describe_repeats, repeated_sequences, repeating_heads
from .catalogue import resolve
from .catalogue_entries import CATALOGUE
from .converted_model import ConvertedModel
from .decoder import Decoder
from .gguf_weights import convert
from .heads import CalibrationData, CalibrationMethod, HeadTable, ScoredHead
from .huggingface_weights import convert_folder, folder_digest
from .int8_layers import Sample, choose_int8_layers
from .stamps import digest
from .tokenizer import TextTokenizer
from .windows import WindowBuilder

_INT8_SAMPLES = 20
"""Questions on which int8 is tried."""
_SMALL = 1_000_000_000
_DEPTH_OF_SMALL, _DEPTH_OF_LARGE = 0.55, 0.72
"""How deep the heads lie, as shares of the layers: in models up to a billion weights, and above."""


class Calibrator:
    """Calibrates one model. Its methods block, for minutes."""

    def __init__(self, model: ConvertedModel, *, model_id: str, last_layer: int | None = None):
        self.model_id = model_id
        self._model = model
        deepest = default_last_layer(model) if last_layer is None else last_layer
        if not deepest < model.config.layers:
            raise ConfigError(
                f"{model_id} has {model.config.layers} layers, the last is "
                f"{model.config.layers - 1}, not {deepest}",
                remedy="choose a lower one with --layers",
            )
        self._decoder = Decoder(model, last_layer=deepest)
        self._tokenizer = TextTokenizer(model.tokenizer)
        self._windows = WindowBuilder(self._tokenizer)

    @classmethod
    def open(
        cls,
        model: str,
        *,
        last_layer: int | None = None,
        cancel: Cancellation | None = None,
        progress: Progress = silent,
    ) -> Calibrator:
        """The calibrator of a catalogue id, a GGUF file or a Hugging Face folder.

        Raises:
            ConfigError: no such model or layer, or it is an embedder.
            InputError, ModelMissing, ModelCorrupt, ReadingError: the model cannot be used.
            StorageError: the converted weights cannot be written.
            Cancelled: ``cancel`` was set meanwhile.
        """
        converted = open_converted(model, cancel=cancel, progress=progress)
        return cls(converted, model_id=model, last_layer=last_layer)

    def by_contrast(
        self,
        questions: Sequence[CalibrationQuestion],
        data: Sequence[CalibrationData],
        *,
        heads: int = 8,
        cancel: Cancellation | None = None,
        progress: Progress = silent,
    ) -> HeadTable:
        """The heads that rank gold passages before look-alikes; ``data`` says what those are of.

        On the same questions it is tried which layers may multiply in int8, where that is fast.

        Raises:
            InputError, ReadingError, Cancelled: as :func:`~.calibration.choose_heads`.
        """
        chosen = choose_heads(
            self._decoder, self._windows, questions, count=heads, cancel=cancel, progress=progress
        )
        table = self._table("contrast", chosen, data)
        kernels = select()
        if not kernels.INT8_IS_FAST:
            return table
        samples = [
            Sample(self._windows.build(item.passages), item.question)
            for item in questions[:: -(-len(questions) // _INT8_SAMPLES)]
        ]

        def open_decoder(layers: Collection[int]) -> Decoder:
            return Decoder(
                self._model, last_layer=table.exit_layer, kernels=kernels, int8_layers=layers
            )

        int8 = choose_int8_layers(
            open_decoder,
            self._windows,
            calibrated_heads(table),
            samples,
            cancel=cancel or Cancellation(),
            progress=progress,
        )
        return table.model_copy(update={"int8_layers": int8.layers})

    def by_copying(
        self,
        *,
        tasks: int = 20,
        heads: int = 8,
        cancel: Cancellation | None = None,
        progress: Progress = silent,
    ) -> HeadTable:
        """The heads that look up the next token of a given answer, in made texts.

        Raises:
            ReadingError, Cancelled: as :func:`~.calibration_copying.copying_heads`.
        """
        made = copy_tasks(tasks)
        chosen = copying_heads(
            self._decoder, self._windows, made, count=heads, cancel=cancel, progress=progress
        )
        return self._table("copy", chosen, [describe_tasks(made)])

    def by_repeats(
        self,
        *,
        sequences: int = 8,
        heads: int = 8,
        cancel: Cancellation | None = None,
        progress: Progress = silent,
    ) -> HeadTable:
        """The heads that attend to what a repeated token repeats, in random tokens.

        Raises:
            InputError: the model's vocabulary or context is too small.
            Cancelled: ``cancel`` was set meanwhile.
        """
        made = repeated_sequences(
            self._tokenizer, count=sequences, limit=self._decoder.config.context_length
        )
        chosen = repeating_heads(self._decoder, made, count=heads, cancel=cancel, progress=progress)
        return self._table("repeats", chosen, [describe_repeats(made)])

    def _table(
        self,
        method: CalibrationMethod,
        heads: Sequence[ScoredHead],
        data: Sequence[CalibrationData],
    ) -> HeadTable:
        return HeadTable(
            model_id=self.model_id,
            gguf_sha256=self._model.config.source_sha256,
            method=method,
            heads=tuple(heads),
            calibrated_on=tuple(data),
            created=datetime.now(UTC).date(),
        )


def open_converted(
    model: str, *, cancel: Cancellation | None = None, progress: Progress = silent
) -> ConvertedModel:
    """The converted form of a catalogue id, a GGUF file or a Hugging Face folder. Blocks.

    Raises:
        ConfigError: no such model, or it is an embedder.
        InputError, ModelMissing, ModelCorrupt, ReadingError: the model cannot be used.
        StorageError: the converted weights cannot be written.
        Cancelled: ``cancel`` was set meanwhile.
    """
    if (folder := _folder(model)) is not None:
        return convert_folder(folder, cancel=cancel, progress=progress)
    files = resolve(model)
    if files.kind == "embedder":
        raise ConfigError(
            f"'{model}' is an embedder and cannot read", remedy="choose a generating model"
        )
    return convert(files.weights, sha256=files.sha256, cancel=cancel, progress=progress)


def model_digest(
    model: str, *, cancel: Cancellation | None = None, progress: Progress = silent
) -> str:
    """The digest that head tables name a model by; one of the catalogue need not be here. Blocks.

    Raises:
        ConfigError: no such model.
        InputError, ModelMissing, ModelCorrupt: its file cannot be read.
        Cancelled: ``cancel`` was set meanwhile.
    """
    if (folder := _folder(model)) is not None:
        return folder_digest(folder, cancel=cancel, progress=progress)
    if model in CATALOGUE and (pinned := CATALOGUE[model].files[0].sha256):
        return pinned
    files = resolve(model)
    return files.sha256 or digest(files.weights, cancel=cancel, progress=progress)


def default_last_layer(model: ConvertedModel) -> int:
    """The last layer that is worth looking at: a little past the middle, deeper in large models."""
    weights = sum(path.stat().st_size for path in model.folder.glob("*.safetensors")) // 2
    depth = _DEPTH_OF_SMALL if weights <= _SMALL else _DEPTH_OF_LARGE
    return min(round(depth * model.config.layers), model.config.layers - 1)


def _folder(model: str) -> Path | None:
    """The folder that ``model`` names; a catalogue id goes before a folder of that name."""
    folder = Path(model).expanduser()
    return folder.absolute() if model not in CATALOGUE and folder.is_dir() else None
