"""The two faces of the inspector, and the searches that they give."""
