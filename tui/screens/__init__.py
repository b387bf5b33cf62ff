"""Screens, one to a file."""
