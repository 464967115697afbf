"""What dry runs say: what would be asked, how long it would take and how much memory, with nothing loaded."""
