"""The simulated exchange and its clock. Knows neither adapters nor engine."""

from policykit.sim.clock import SimClock

__all__ = ["SimClock"]
