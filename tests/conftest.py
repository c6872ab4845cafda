"""For all tests."""

from hypothesis import HealthCheck, settings

# Machines that run these tests may be busy: a slow example says nothing about the program.
settings.register_profile("shared machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("shared machine")
