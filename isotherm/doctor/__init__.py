"""What the three doctors share: the finding and its look, and checks that more than one makes."""
