"""Network architectures, one file each: pure NNX modules, arrays in, arrays out."""
