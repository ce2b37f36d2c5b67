//! Removing what no reader at or above a safe point can see.

use bytes::Bytes;

use crate::tikv::engine::{Cf, Changes, EngineError, Reader, WriteKind};
use crate::tikv::key;

/// Removes the versions of one key that are hidden at `safe_point`, and the records that are no versions.
pub(crate) fn collect(
    reader: &Reader,
    changes: &mut Changes,
    raw: &Bytes,
    safe_point: u64,
) -> Result<(), EngineError> {
    let mut hidden = false;
    for found in reader.writes(raw, safe_point) {
        let (ts, write) = found?;
        let visible = write.is_version() && !hidden;
        hidden |= write.is_version();
        if visible && write.kind() == WriteKind::Put {
            continue;
        }
        changes.remove(Cf::Write, key::versioned(raw, ts));
        if write.kind() == WriteKind::Put && write.short_value.is_none() {
            changes.remove(Cf::Default, key::versioned(raw, write.start_ts));
        }
    }
    Ok(())
}
