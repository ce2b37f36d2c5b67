//! How far a span is complete: the minimum of its regions' resolved-ts.
