"""What a layer lacks without one of its inputs, outputs or edges."""
