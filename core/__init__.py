"""The host-independent part of OWF: plan, measurement, verdict. Importing it pulls no torch."""
