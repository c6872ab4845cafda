"""The shell around the session core: the connection, the sound streams and the one current state."""
