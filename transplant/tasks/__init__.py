"""Pretraining tasks: how a frame is labelled, with which classes and which head."""
