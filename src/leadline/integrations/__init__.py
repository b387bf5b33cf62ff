"""Leadline inside other programmes: each module needs the extra of its name."""
