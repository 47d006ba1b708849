"""Parameters to bytes and back, in integers: numpy and constriction only."""
