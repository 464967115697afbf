"""What `bench/preservation.py` teaches, runs and reports."""
