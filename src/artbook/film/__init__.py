"""Moving pictures: clips of characters being written, a model of their frames, ways from one picture to another."""
