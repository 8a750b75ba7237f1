"""The baseline of every trained task: character 1–3-gram TF-IDF and LinearSVC, all settings scikit-learn's own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

NAME: Final = "char 1–3-gram TF-IDF + LinearSVC"


class Baseline:
    """Fitted at once."""

    def __init__(self, texts: Sequence[str], labels: Sequence[str]) -> None:
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.pipeline import make_pipeline
        from sklearn.svm import LinearSVC

        self._model: Any = make_pipeline(TfidfVectorizer(analyzer="char", ngram_range=(1, 3)), LinearSVC())
        self._model.fit(list(texts), list(labels))

    def best(self, texts: Sequence[str], most: int = 1) -> list[list[str]]:
        """The likeliest answers to each text."""
        scores = self._model.decision_function(list(texts))
        if scores.ndim == 1:
            scores = scores[:, None] * [-1, 1]
        order = (-scores).argsort(axis=1, kind="stable")[:, :most]
        return [[str(self._model.classes_[at]) for at in row] for row in order]
