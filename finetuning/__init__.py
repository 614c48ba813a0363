"""Fine-tuning classifiers of whole records."""
