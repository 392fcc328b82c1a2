"""The shared package of *Large Models for Art: theory, code and commerce*, laid out like the book.

``data`` loads, ``nn`` and ``music`` model, ``show`` draws and plays, ``press`` makes the book. Imports
run downhill only: ``press`` and the chapters on top, ``music`` in the middle, ``data``, ``nn`` and
``show`` at the bottom.
"""

import os

__version__ = "0.1.0"

# Read by TensorFlow at its import, so they are set before anything here can import it: no start-up
# notices in the pages, and the same digits with and without oneDNN's own kernels.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
# Read by JAX when it first meets a GPU, of which it would otherwise take three quarters from TensorFlow.
os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
