"""Pretraining on streams of ECG frames."""
