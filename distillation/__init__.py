"""From rich data to poor: dataset distillation."""
