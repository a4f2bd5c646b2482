"""The command line: renders what the faces of the package give. Nobody imports it."""
