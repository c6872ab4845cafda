"""Other people's clients against the loopback service: `make test-clients`, in a virtual environment of its own."""
