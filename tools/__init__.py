"""The world outside: search, fetching, extraction, page store, corpora, guards."""
