"""Reports: notebooks run in a batch, rendered and published."""
