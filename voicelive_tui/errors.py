"""`UserError`: what the user can put right."""


class UserError(Exception):
    """Its text is one sentence for the user: what cannot be used, and why. A command reports it and ends with 2."""
