"""What nobody sends in good faith, one kind of abuse per module, against the whole API."""
