"""What a training learns from: pictures, captions, banks and what the base draws."""
