"""What images are compared by: feature networks and colours."""
