"""Metrics, predictions, statistics and plots."""
