//! Message formats.
