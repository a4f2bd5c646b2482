"""The parts of a running server. Each does one thing; they share `InFlight` and never call each other."""
