"""Which of many: thousands of concepts with a few rows each. Pure numpy; see docs/design/damage-map.md."""
