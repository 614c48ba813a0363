"""Augmentation: what a training record may have been instead, drawn anew in every epoch, in the graph."""
