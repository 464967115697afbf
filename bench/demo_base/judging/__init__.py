"""How good the demo base is and what its LoRAs learned: pictures that it draws, and judges that look at them."""
