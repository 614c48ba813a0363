"""Streams of frames by the names that the reports' notebooks import."""

from pretraining.streams import frame_dataset, usable_patients, window_dataset

__all__ = ["frame_dataset", "usable_patients", "window_dataset"]
