"""The basic colour terms. No torch."""

TERMS = ("black", "white", "red", "green", "yellow", "blue", "brown", "orange", "pink", "purple", "gray")
"""The 11 basic colour terms of English (Berlin and Kay, 1969), in their order."""
