"""The published InfiniRetri package and ours on the same weights, for comparison; and our heads.

``infini-retri`` 0.0.3 and what it imports without declaring it (scipy, seaborn, matplotlib,
tiktoken) are no dependency of ours: where they are not installed, :func:`why_not` says so.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import multiprocessing
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ..cancellation import Cancellation
from ..errors import ConfigError, ReadingError
from ..runtime.catalogue import ModelFiles
from ..runtime.converted_model import ConvertedModel
from ..runtime.gguf_weights import convert
from .library_model import Precision, chat_template, library_model, torch_dtype

PACKAGE = "infini_retri"

Implementation = Literal["published", "leadline", "heads", "heads on torch"]
"""The package, our InfiniRetri, and our heads: as fast as this machine can, and on torch alone."""

_PASSAGE_CHARS = 1000
_WARM_UP = "The lead line sounds the depth under the keel. "


@dataclass(frozen=True, slots=True)
class ReaderRun:
    """One question over one text."""

    kept: tuple[str, ...]
    """The pieces that the last window kept, in the order of the text, with their white space."""
    seconds: float
    """Of the retrieval alone: nothing is loaded and nothing generated in them."""
    cpu_seconds: float
    """Of all threads together: steadier than ``seconds`` where others use the processor."""
    text_tokens: int
    read_tokens: int
    """Tokens of all windows, prompts and carried pieces included."""
    windows: int

    @property
    def kept_text(self) -> str:
        return "".join(self.kept)


@dataclass(frozen=True, slots=True)
class MeasuredRuns:
    """Runs of one process."""

    runs: tuple[ReaderRun, ...]
    peak_bytes: int
    """Largest resident memory of that process: libraries and weights included."""


def why_not() -> str | None:
    """Why the package cannot be run here; None if it can."""
    try:
        importlib.import_module(PACKAGE)
    except ImportError as error:
        return f"{PACKAGE} cannot be imported ({error})"
    return None


def require_package() -> None:
    """Raises ConfigError where the package cannot be imported."""
    if reason := why_not():
        raise ConfigError(reason, remedy="pip install infini-retri==0.0.3")


class PublishedReader:
    """The package, on a converted model.

    Its prompts need ``chat_template``, the model's own (GGUF: ``tokenizer.chat_template``).

    Raises:
        ConfigError: the package cannot be imported.
        ReadingError: the model's layout is one that is not mapped here.
    """

    def __init__(
        self,
        model: ConvertedModel,
        *,
        chat_template: str,
        precision: Precision = "float32",
        window_tokens: int = 1024,
        phrase_tokens: int = 8,
        top_tokens: int = 300,
    ) -> None:
        require_package()
        from transformers import PreTrainedTokenizerFast

        package = importlib.import_module(PACKAGE)
        tokenizer = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
            tokenizer_file=str(model.tokenizer), clean_up_tokenization_spaces=False
        )
        tokenizer.chat_template = chat_template
        self._pipeline = package.InfiniRetri(
            model=library_model(model, precision),
            tokenizer=tokenizer,
            window_length=window_tokens,
            answer_length=phrase_tokens,
            topk=top_tokens,
        ).ir
        self._tokenizer: Any = tokenizer

    def read(self, question: str, text: str) -> ReaderRun:
        """Run its retrieval, and one token of its answer, which is thrown away.

        Raises:
            ReadingError: the package fails on this text, as it does on an empty one or on one that
                begins with punctuation.
        """
        windows: list[tuple[_Watch, int, list[str]]] = []
        retrieval = self._pipeline.retri
        focus: Callable[..., Any] = type(retrieval).focus_key_sentence

        def recorded(*arguments: Any, **named: Any) -> Any:
            result = focus(retrieval, *arguments, **named)
            _, _, pieces, info = result
            kept = [self._tokenizer.decode(ids) for ids in pieces]
            windows.append((_Watch.now(), info["original_num"], kept))
            return result

        retrieval.focus_key_sentence = recorded
        started = _Watch.now()
        try:
            # It prints what it cannot find, and its progress.
            with (
                contextlib.redirect_stdout(io.StringIO()),
                contextlib.redirect_stderr(io.StringIO()),
            ):
                self._pipeline.generate2(
                    data_dict={"context": text, "question": question},
                    prompt=_PROMPT,
                    gen_name="",
                    max_new_tokens=1,
                )
        except (IndexError, UnboundLocalError) as error:
            raise ReadingError(f"{PACKAGE} fails on this text ({error})") from error
        finally:
            del retrieval.focus_key_sentence
        # The answer is generated after the last window.
        took = (windows[-1][0] if windows else _Watch.now()).since(started)
        return ReaderRun(
            kept=tuple(windows[-1][2]) if windows else (),
            seconds=took.wall,
            cpu_seconds=took.cpu,
            text_tokens=len(self._tokenizer.encode(text, add_special_tokens=False)),
            read_tokens=sum(tokens for _, tokens, _ in windows),
            windows=len(windows),
        )


class OwnReader:
    """Our InfiniRetri on the same model, cutting text as the package does."""

    def __init__(
        self,
        model: ConvertedModel,
        *,
        precision: Precision = "float32",
        window_tokens: int = 1024,
        phrase_tokens: int = 8,
        top_tokens: int = 300,
    ) -> None:
        from ..runtime.infiniretri import InfiniRetri
        from ..runtime.last_layer import LastLayer
        from ..runtime.tokenizer import TextTokenizer

        self._tokenizer = TextTokenizer(model.tokenizer)
        self._method = InfiniRetri(
            LastLayer(model, dtype=torch_dtype(precision)),
            self._tokenizer,
            window_tokens=window_tokens,
            phrase_tokens=phrase_tokens,
            top_tokens=top_tokens,
            as_published=True,
        )

    def read(self, question: str, text: str) -> ReaderRun:
        """As :meth:`PublishedReader.read`; fails on no text."""
        started = _Watch.now()
        found = self._method.retrieve(question, text)
        took = _Watch.now().since(started)
        return ReaderRun(
            kept=found.kept,
            seconds=took.wall,
            cpu_seconds=took.cpu,
            text_tokens=len(self._tokenizer.encode(text).ids),
            read_tokens=found.read_tokens,
            windows=found.windows,
        )


class HeadsReader:
    """The calibrated heads over the windows of a text, each asked apart; no pieces are kept.

    ``torch_only`` does without compiled kernels and int8.

    Raises:
        ReadingError: no head table is known for the model.
    """

    def __init__(
        self, model: ConvertedModel, *, torch_only: bool, window_tokens: int = 1024
    ) -> None:
        from ..kernels import reference
        from ..runtime.attention_reader import attention_method, open_decoder
        from ..runtime.decoder import Decoder
        from ..runtime.tokenizer import TextTokenizer
        from ..runtime.window_attention import WindowAttention
        from ..runtime.windows import WindowBuilder

        method = attention_method(model, "heads")
        if torch_only:
            decoder = Decoder(model, last_layer=method.exit_layer, kernels=reference)
        else:
            decoder = open_decoder(model, method)
        self._tokenizer = TextTokenizer(model.tokenizer)
        self._attention = WindowAttention(decoder, WindowBuilder(self._tokenizer), method)
        self._window_tokens = window_tokens

    def read(self, question: str, text: str) -> ReaderRun:
        """As :meth:`PublishedReader.read`, without pieces."""
        from ..runtime.made_pages import made_page
        from ..runtime.passages import split_pages

        started = _Watch.now()
        builder = self._attention.windows
        passages = split_pages([made_page("", text)], max_chars=_PASSAGE_CHARS)
        windows = [builder.build(run) for run in builder.split(passages, self._window_tokens)]
        asked = self._attention.ask(windows, [question], cancel=Cancellation())
        took = _Watch.now().since(started)
        return ReaderRun(
            kept=(),
            seconds=took.wall,
            cpu_seconds=took.cpu,
            text_tokens=len(self._tokenizer.encode(text).ids),
            read_tokens=asked.read_tokens,
            windows=len(windows),
        )


def measure(
    implementation: Implementation,
    files: ModelFiles,
    cases: Sequence[tuple[str, str]],
    *,
    precision: Precision = "bfloat16",
) -> MeasuredRuns:
    """Read each ``(question, text)`` in a process of its own, which is warmed up first.

    Raises:
        ConfigError: the package is asked for and not here.
        ReadingError: it fails on a text.
        ModelError: the model's file cannot be used.
    """
    alone = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max_workers=1, mp_context=alone) as pool:
        return pool.submit(_measured, implementation, files, tuple(cases), precision).result()


def agreement(one: ReaderRun, other: ReaderRun) -> float:
    """The share of the pieces kept by either that both kept (Jaccard); 1 where neither kept any."""
    first, second = Counter(one.kept), Counter(other.kept)
    either = (first | second).total()
    return (first & second).total() / either if either else 1.0


@dataclass(frozen=True, slots=True)
class _Watch:
    """Clocks of the wall and of this process's threads, in seconds."""

    wall: float
    cpu: float

    @classmethod
    def now(cls) -> _Watch:
        return cls(time.monotonic(), time.process_time())

    def since(self, start: _Watch) -> _Watch:
        return _Watch(self.wall - start.wall, self.cpu - start.cpu)


_PROMPT = (
    "Read the book and answer the question. Be very concise in your answer."
    "\n\n{context}\n\nQuestion:\n\n{question}\n\nAnswer:"
)
"""The package's own default, which its pipeline must be given."""


def _measured(
    implementation: Implementation,
    files: ModelFiles,
    cases: tuple[tuple[str, str], ...],
    precision: Precision,
) -> MeasuredRuns:
    model = convert(files.weights, sha256=files.sha256)
    reader: PublishedReader | OwnReader | HeadsReader
    if implementation == "published":
        template = chat_template(files.weights)
        reader = PublishedReader(model, chat_template=template, precision=precision)
    elif implementation == "leadline":
        reader = OwnReader(model, precision=precision)
    else:
        reader = HeadsReader(model, torch_only=implementation == "heads on torch")
    reader.read("How deep is it?", _WARM_UP)
    runs = tuple(reader.read(question, text) for question, text in cases)
    return MeasuredRuns(runs, _peak_bytes())


def _peak_bytes() -> int:
    """Largest resident memory of this process so far.

    From /proc where there is one: getrusage also counts what its parent held when it was started.
    """
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        import resource

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024
    line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024
