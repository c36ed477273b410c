"""What every process has, whatever it does: settings, logs, fault points, the version."""
