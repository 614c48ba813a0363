"""transplant: transfer learning for ECG and other physiological signals.

Importing the package is light: neither TensorFlow nor Keras is loaded until a
module that needs them is imported.
"""

__version__ = "0.1.0"
