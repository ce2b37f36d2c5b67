//! The HTTP API of a server.
