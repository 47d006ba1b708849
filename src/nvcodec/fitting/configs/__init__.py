"""Settings of stages, free of torch: one file a stage, under its name."""
