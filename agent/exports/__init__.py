"""Finished runs as files for people and for other programmes."""
