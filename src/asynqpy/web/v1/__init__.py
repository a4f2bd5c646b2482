"""asynqmon's HTTP API, so that its front end works with us: routes, shapes, and plain-text errors are its own."""
