"""Kinds of layer that a change is told apart by; without imports, so that reports can use it."""

KINDS = ("self-attention", "cross-attention", "feed-forward", "resnet", "other")
"""Columns of every table per block, in this order."""
