"""Settings of networks and what follows from them, without torch: one file a family."""
