"""Entry point of ``leadline`` and ``python -m leadline``."""

from __future__ import annotations

import sys


def main() -> None:
    from .cli.main import run

    sys.exit(run())


if __name__ == "__main__":
    main()
