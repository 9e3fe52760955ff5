"""Measures a finished dataset against ground truth; never imports the builder."""

from hoiset.eval.compare import Worsened, compare
from hoiset.eval.evaluate import Evaluation, evaluate
from hoiset.eval.metrics import METRICS, Metric

__all__ = ["METRICS", "Evaluation", "Metric", "Worsened", "compare", "evaluate"]
