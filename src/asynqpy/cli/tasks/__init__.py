"""The commands about tasks, by what they do: look, act on what is there, change it, follow it."""
