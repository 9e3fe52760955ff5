"""Root networks that the package brings: ``hoiset train-root`` wrote them, each with the log of its training."""
