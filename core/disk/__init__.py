"""Files and folders: where they are, what is in them, how they are written, fetched and locked. No torch."""
