"""What images are compared by: feature networks, the distance of sets of features, and colours."""
