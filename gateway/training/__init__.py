"""Trains the models that normalizer/models asks: data in, one file out, the same bytes for the same data.

Needs the extra `train` (scikit-learn). May not run in a server, and may not keep a row it has read.
"""
