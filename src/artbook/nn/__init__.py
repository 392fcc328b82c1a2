"""The network of the mathematics part, in NumPy, and the few Keras layers that two chapters share."""
