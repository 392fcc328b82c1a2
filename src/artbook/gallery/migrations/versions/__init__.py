"""The steps, by number. A step is never changed once a catalogue may have taken it."""
