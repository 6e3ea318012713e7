"""A reader that one recording hangs, for workers to import."""

import time

from painting_jax.data import reading_recordings
from painting_jax.data.process import Process
from painting_jax.data.processes import ProcessFile


def read(recording: ProcessFile, **options) -> Process:
    """Reads a recording, unless it is a gif."""
    if recording.name.endswith(".gif"):
        time.sleep(600)
    return reading_recordings.read(recording, **options)
