"""Leadline: local-first deep research in which every claim leads to the exact words it rests on."""

from __future__ import annotations

__version__ = "0.1.0"

__all__ = ["__version__"]
