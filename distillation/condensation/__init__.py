"""Dataset distillation: a handful of made examples that trains a network as a large set does."""
