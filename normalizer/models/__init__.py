"""What a text is about, as a linear model has learned it: n-grams (ngrams), scores (linear), files (model_file).

Pure numpy over arrays that are loaded once. May not train (gateway/training does), nor decide what a guess is for.
"""

from normalizer.models.linear import Guess, Linear
from normalizer.models.model_file import BadModel, load, shipped

__all__ = ["BadModel", "Guess", "Linear", "load", "shipped"]
