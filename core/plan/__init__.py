"""What is asked: plans of audits and trainings, their presets and prompts. No torch."""
