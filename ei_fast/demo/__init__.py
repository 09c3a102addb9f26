"""The seed's networks: small sigmoid networks on Iris and MNIST, measured as they train."""
