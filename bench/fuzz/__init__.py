"""Coverage-guided fuzzing of what opens strangers' files; run by hand, with atheris."""
