"""ONNX models: the graph says what is done, and onnxruntime what comes of it."""
