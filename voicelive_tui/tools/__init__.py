"""Function tools: Python functions of the user, described to the model, and run when it calls them.

`load.py` imports what the user named, `schema.py` describes a function, `run.py` runs it. Nothing here knows the
session, the network or the screen.
"""


class ToolError(Exception):
    """Tools that cannot be loaded; its text is one sentence with the file and the reason."""
