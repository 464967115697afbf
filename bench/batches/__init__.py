"""What `bench/batch.py` runs, on which LoRAs, and what it says of it."""
