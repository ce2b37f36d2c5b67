//! The schema of the cluster as of one timestamp, read from its metadata.

use bytes::Bytes;

use crate::{
    compat::Compat,
    model::{Span, Ts},
    schema::{MetaReader, SchemaError, SchemaStorage},
    upstream::{self, Snapshot, Upstream},
};

struct Reader(Snapshot);

impl MetaReader for Reader {
    type Error = upstream::Error;

    async fn scan(&self, span: &Span) -> Result<Vec<(Bytes, Bytes)>, Self::Error> {
        self.0.scan(span.clone()).collect().await
    }
}

/// Reads the schema as of `ts`.
///
/// # Errors
/// [`SchemaError`].
pub async fn schema_at(
    upstream: &Upstream,
    ts: Ts,
    compat: Compat,
) -> Result<SchemaStorage, SchemaError> {
    SchemaStorage::load(&Reader(upstream.snapshot(ts)), ts, compat).await
}
