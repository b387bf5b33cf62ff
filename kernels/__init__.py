"""Attention kernels. Tensors in, tensors out."""
