"""What the makefile runs over the project itself."""
