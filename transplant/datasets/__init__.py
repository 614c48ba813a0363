"""Readers: one module per data set, each yielding records as they are on disk."""
