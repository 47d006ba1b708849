"""What the hierarchical scheme is made of: lattices, contexts, Gaussians, side information."""
