"""The simulated exchange and its clock. Knows neither adapters nor engine."""

from policykit.sim.clock import HostClock, SimClock
from policykit.sim.drift import ABSENT, Drift
from policykit.sim.faults import Fault
from policykit.sim.keys import SimKey
from policykit.sim.limits import LimitSizes
from policykit.sim.market import Symbol
from policykit.sim.server import SimServer
from policykit.sim.truth import terms

__all__ = ["ABSENT", "Drift", "Fault", "HostClock", "LimitSizes", "SimClock", "SimKey", "SimServer", "Symbol", "terms"]
