"""Hypothesis judges what is decided, not how fast: on a busy machine its deadline would fail what is right."""

from hypothesis import settings

settings.register_profile("no-deadline", deadline=None)
settings.load_profile("no-deadline")
