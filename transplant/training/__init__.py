"""Job folders, checkpoints, weight transfer, splits and command-line helpers."""
