"""Names of the networks that sets are distilled for and judged by.

Command lines import this file for their help, so it imports nothing heavy.
"""

from transplant.modules.registry import ARCHITECTURES

DISTILLABLE = tuple(entry.name for entry in ARCHITECTURES.values() if entry.is_plain and entry.is_network)
"""The plain networks, whose second derivatives are right."""

JUDGES = (
    *DISTILLABLE,
    *(entry.name for entry in ARCHITECTURES.values() if not entry.is_plain and not entry.takes_spectrogram),
)
"""Those and the ResNets of signals, which learn from a distilled set like any network."""
