"""What commands write: events for programs, progress and sentences for people."""
