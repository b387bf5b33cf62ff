"""WideSearch (Wong et al., arXiv 2508.07999): tables asked for in words, scored by row and cell."""
