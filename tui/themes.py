"""Leadline's own colours, beside those that Textual brings."""

from __future__ import annotations

from textual.theme import Theme

_DARK = Theme(
    name="leadline-dark",
    primary="#6cb0ff",
    secondary="#8fa3b8",
    accent="#ffb454",
    foreground="#e6e4df",
    background="#14171c",
    surface="#1b1f26",
    panel="#232830",
    success="#8fd18a",
    warning="#f0c674",
    error="#ff8a80",
    dark=True,
)

_LIGHT = Theme(
    name="leadline-light",
    primary="#0b57b0",
    secondary="#4b5b6b",
    accent="#8a4b00",
    foreground="#1c1b19",
    background="#fbfaf7",
    surface="#f3f1ec",
    panel="#e9e6df",
    success="#1f6b2b",
    warning="#7a5200",
    error="#a3201b",
    dark=False,
)

THEMES = (_DARK, _LIGHT)
