//! Configuration of changefeeds and of the server, sink URIs.
