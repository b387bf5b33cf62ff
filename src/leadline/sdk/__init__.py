"""The clients that programmes use; their names are exported by :mod:`leadline` itself."""
