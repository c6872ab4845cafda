"""For all tests."""

import signal

from hypothesis import HealthCheck, settings

# Machines that run these tests may be busy: a slow example says nothing about the program.
settings.register_profile("shared machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("shared machine")

# Programs that tests start would inherit an ignored SIGINT, and then keep ignoring it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
