"""What a node shows: panel, progress, pictures, and words of the graph."""
