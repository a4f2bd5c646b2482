"""What every driver shares. Runs inside each contender's environment: standard library only."""
