"""The gRPC shell: TLS identity, the server, diallers, and the sessions that run over them."""
