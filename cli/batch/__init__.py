"""Runs over many LoRAs: the order of work, what is asked of each, workers, ledgers, and folders that are watched."""
