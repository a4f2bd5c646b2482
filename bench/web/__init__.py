"""What the measure of the web dashboard is made of: data, servers that live, the dashboard, a browser, spectators."""
