"""Objects from a model: a schema asked for, the answer checked, repaired or asked for again."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Final, TypeVar

from pydantic import BaseModel, ValidationError

from ..cancellation import Cancellation
from ..errors import OutputInvalid, PromptTooLong
from .engine import (
    Engine,
    Generation,
    GenerationRequest,
    Message,
    TextDelta,
    last_generation,
)

T = TypeVar("T", bound=BaseModel)

_FENCED: Final = re.compile(r"```[a-zA-Z]*\s*\n(.*?)(?:```|\Z)", re.DOTALL)
_CLOSING: Final = {"{": "}", "[": "]"}
_SHOWN_PROBLEMS: Final = 3


async def generate_object(
    engine: Engine,
    request: GenerationRequest,
    model: type[T],
    *,
    cancel: Cancellation,
    attempts: int = 2,
    on_text: Callable[[str], None] | None = None,
) -> T:
    """The answer to ``request`` as a ``model``, whose JSON schema the engine is held to.

    What code can repair is repaired: text around the JSON, and an answer that ``max_tokens`` cut
    off inside a list. Otherwise the model is told what is wrong and asked again. ``on_text`` gets
    each attempt's text as it grows; :func:`parse_growing` tells what of it is complete.

    Raises:
        OutputInvalid: no valid object came in ``attempts`` answers.
        PromptTooLong: the request does not fit the window.
        Cancelled, ModelError, EndpointError: as :meth:`Engine.stream` raises them.
    """
    asked = replace(request, json_schema=model.model_json_schema())
    problem = "nothing was asked"
    for attempt in range(attempts):
        try:
            generation = await _generate(engine, asked, on_text, cancel)
        except PromptTooLong as error:
            if attempt == 0:
                raise
            raise _invalid(engine, model, problem) from error
        try:
            return parse_object(generation, model)
        except ValidationError as error:
            problem = _describe(error, generation)
            last_error = error
        asked = replace(asked, messages=_correction(request, generation, problem))
    raise _invalid(engine, model, problem) from last_error


def parse_object(generation: Generation, model: type[T]) -> T:
    """The object in ``generation``'s text.

    Raises:
        pydantic.ValidationError: there is none, or it does not fit the schema.
    """
    text = _json_part(generation.text)
    try:
        return model.model_validate_json(text)
    except ValidationError:
        whole = _without_cut_off_end(text)
        if whole == text or generation.finish_reason != "length":
            raise
    return model.model_validate_json(whole)


def parse_growing(text: str, model: type[T]) -> T | None:
    """What of an answer that is still being decoded is complete: its closed objects and lists.

    None while that is no ``model``.
    """
    try:
        return model.model_validate_json(_without_cut_off_end(_json_part(text)))
    except ValidationError:
        return None


async def _generate(
    engine: Engine,
    request: GenerationRequest,
    on_text: Callable[[str], None] | None,
    cancel: Cancellation,
) -> Generation:
    if on_text is None:
        return await engine.generate(request, cancel=cancel)
    tell = on_text

    async def told() -> AsyncIterator[TextDelta | Generation]:
        text = ""
        async for item in engine.stream(request, cancel=cancel):
            if isinstance(item, TextDelta):
                text += item.text
                tell(text)
            yield item

    return await last_generation(told())


def _json_part(text: str) -> str:
    """``text`` without a code fence, and without words before the first bracket."""
    fenced = _FENCED.search(text)
    inner = fenced.group(1) if fenced else text
    starts = [at for bracket in _CLOSING if (at := inner.find(bracket)) >= 0]
    return _without_trailing_words(inner[min(starts) :]) if starts else inner


def _without_trailing_words(text: str) -> str:
    for end, open_brackets in _closings(text):
        if not open_brackets:
            return text[:end]
    return text


def _without_cut_off_end(text: str) -> str:
    """``text`` up to its last closed object or list, and then everything closed."""
    end, open_brackets = 0, ""
    for end, open_brackets in _closings(text):  # noqa: B007 the last one is wanted
        pass
    return text[:end] + "".join(_CLOSING[bracket] for bracket in reversed(open_brackets))


def _closings(text: str) -> list[tuple[int, str]]:
    """After each closing bracket outside strings: its end, and what is still open there."""
    closings: list[tuple[int, str]] = []
    open_brackets: list[str] = []
    in_string = escaped = False
    for at, character in enumerate(text):
        if in_string:
            in_string = escaped or character != '"'
            escaped = character == "\\" and not escaped
        elif character == '"':
            in_string = True
        elif character in _CLOSING:
            open_brackets.append(character)
        elif open_brackets and character == _CLOSING[open_brackets[-1]]:
            open_brackets.pop()
            closings.append((at + 1, "".join(open_brackets)))
    return closings


def _describe(error: ValidationError, generation: Generation) -> str:
    if generation.finish_reason == "length":
        return f"it was cut off after {generation.completion_tokens} tokens"
    problems = [
        f"{'.'.join(map(str, detail['loc'])) or 'the whole'}: {detail['msg']}"
        for detail in error.errors(include_url=False, include_input=False)
    ]
    return "; ".join(problems[:_SHOWN_PROBLEMS])


def _correction(
    request: GenerationRequest, generation: Generation, problem: str
) -> tuple[Message, ...]:
    wish = "Answer again, with the corrected JSON only."
    if generation.finish_reason == "length":
        wish = "Answer again, more briefly, with the JSON only."
    return (
        *request.messages,
        Message("assistant", generation.text),
        Message("user", f"That cannot be used: {problem}. {wish}"),
    )


def _invalid(engine: Engine, model: type[BaseModel], problem: str) -> OutputInvalid:
    return OutputInvalid(
        f"{engine.model_id} gave no valid {model.__name__} ({problem})",
        remedy="use a larger model, or allow it a longer answer",
    )
