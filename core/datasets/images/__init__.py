"""Labelled images: how sets of them lie on disk, which are taken, and those that ship."""
