"""The session core: a pure fold from inputs to a frozen state and effects.

No I/O, no clock, no widget. `fold.reduce` is `observe` (what happened), then `policy` (what this client does).
"""
