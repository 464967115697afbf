"""Colours: CIELAB, differences, turns of hue, and the words for them."""
