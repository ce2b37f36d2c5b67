//! Message formats, and which partition a message goes to.

pub mod canal_json;
pub mod dispatch;
