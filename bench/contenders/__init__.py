"""One folder for each queue that is measured: its driver, its pinned requirements, its configuration."""
