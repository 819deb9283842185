"""The stand-in for Modal: that it does as Modal does, where that is known."""
