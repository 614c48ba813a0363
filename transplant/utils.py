"""Names that notebooks import from here; the code lives where it belongs."""

from transplant.evaluation.predictions import read_predictions

__all__ = ["read_predictions"]
