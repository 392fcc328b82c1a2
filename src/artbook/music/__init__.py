"""Piano rolls, MIDI, synthesis, and the models of the music part."""
