"""One module a command; each runs to an exit status."""
