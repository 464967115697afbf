"""Damage that `bench/planted.py` plants, to see what the map of damage finds."""
