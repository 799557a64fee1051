"""A server for development that speaks TensorFlow Serving's REST and gRPC, where Docker is not to be had."""
