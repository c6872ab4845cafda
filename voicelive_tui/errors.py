"""Errors whose text is for the user."""


class UserError(Exception):
    """Its text is one sentence for the user: what cannot be used, and why. A command reports it and ends with 2."""


class AudioError(Exception):
    """Sound does not work; the text gives the reason and the remedy in one or two sentences."""
