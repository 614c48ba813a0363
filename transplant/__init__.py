"""transplant: transfer learning for ECG and other physiological signals.

Importing the package is light: neither TensorFlow nor Keras is loaded until a
module that needs them is imported.
"""

from transplant.saved_layers import register_saved_layers

__version__ = "0.1.0"

register_saved_layers()
