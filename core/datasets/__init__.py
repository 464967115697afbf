"""Labelled image sets, one file each."""
