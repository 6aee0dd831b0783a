"""Analysis of a track: `analyse` is all that others call. Nothing heavy is loaded until it is called."""

from pipeline.analysis.track import FEATURES, analyse

__all__ = ["FEATURES", "analyse"]
