"""A synthetic voice and the demo caller, for the loopback service, the demo and scripted tests."""
