"""Bags of ids, as texts and sets are, for the baselines: weighted counts, and their main directions."""

from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfTransformer

LEAST_ROWS = 2
"""Ids in fewer rows say nothing of other rows."""
TOPICS = 32
"""The numbers per text that boosted trees have, which cannot split by thousands of ids."""


class Bag(TransformerMixin, BaseEstimator):
    """Ids [n, width], 0 for none → TF-IDF of those that occur in several training rows, sparse [n, ids]."""

    def fit(self, ids: np.ndarray, y: Any = None) -> "Bag":
        """Learns which ids there are and how rare they are."""
        values, counts = np.unique(ids, return_counts=True)
        self.known_ = values[(values > 0) & (counts >= LEAST_ROWS)]
        self.weights_ = TfidfTransformer(sublinear_tf=True).fit(self._counts(ids)) if self.known_.size else None
        return self

    def transform(self, ids: np.ndarray) -> sp.csr_matrix:
        """Each row has the length 1, or 0 where no id is known. There is at least one column."""
        counts = self._counts(ids)
        return self.weights_.transform(counts) if self.weights_ is not None else counts

    def _counts(self, ids: np.ndarray) -> sp.csr_matrix:
        places = np.searchsorted(self.known_, ids)
        places[places == len(self.known_)] = 0
        found = self.known_[places] == ids if self.known_.size else np.zeros(ids.shape, bool)
        rows = np.nonzero(found)[0]
        ones = np.ones(len(rows))
        return sp.csr_matrix((ones, (rows, places[found])), shape=(len(ids), max(1, len(self.known_))))


class Topics(TransformerMixin, BaseEstimator):
    """Sparse [n, ids] → dense [n, topics], by the largest singular values (latent semantic analysis)."""

    def fit(self, counts: sp.csr_matrix, y: Any = None) -> "Topics":
        """Learns the directions; as many as there are ids, if those are few."""
        few = counts.shape[1] <= TOPICS
        self.directions_ = None if few else TruncatedSVD(TOPICS, random_state=0).fit(counts)
        return self

    def transform(self, counts: sp.csr_matrix) -> np.ndarray:
        """The counts themselves if there are few ids."""
        return counts.toarray() if self.directions_ is None else self.directions_.transform(counts)
