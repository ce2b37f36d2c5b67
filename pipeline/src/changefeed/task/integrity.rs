//! `[integrity]` of a changefeed's file: rows are held against the checksums that they carry.

use super::{Config, Spec};
use crate::{
    coded::{Code, Coded},
    compat::Release,
    model::{Op, RawKv},
    mount::checksum,
    schema::TableInfo,
};

/// What is done about checksums.
#[derive(Debug)]
pub(super) struct Integrity {
    /// `namespace.id`.
    changefeed: String,
    release: Release,
    /// A wrong one ends the changefeed.
    fails: bool,
}

impl Integrity {
    /// As `spec` says; nothing if nothing is to be checked.
    pub(super) fn new(spec: &Spec) -> Option<Self> {
        match &spec.config {
            Config::Modern(config) if config.integrity.checks() => Some(Self {
                changefeed: format!("{}.{}", spec.namespace, spec.id),
                release: spec.release,
                fails: config.integrity.fails(),
            }),
            Config::Modern(_) | Config::Legacy(_) => None,
        }
    }

    /// Holds a change against the checksums of its rows.
    ///
    /// # Errors
    /// `ErrCorruptedDataMutation` if the changefeed is to end; `ErrProcessorUnknown` for what is no row.
    pub(super) fn check(&self, change: &RawKv, table: &TableInfo) -> Result<(), Coded> {
        if change.op == Op::Rest {
            // It was held against them as a part of the update.
            return Ok(());
        }
        let Some(mismatch) = checksum::verify(change, table, self.release)? else {
            return Ok(());
        };
        tracing::error!(
            changefeed = self.changefeed,
            commit_ts = change.commit_ts,
            %mismatch,
            "a row does not have the checksum that it carries"
        );
        match self.fails {
            true => Err(Coded::new(
                Code::ErrCorruptedDataMutation,
                format!(
                    "Changefeed {} stopped due to corrupted data mutation received",
                    self.changefeed
                ),
            )),
            false => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::{changefeed::lifecycle::is_fatal, compat::Compat};

    #[test]
    fn a_wrong_row_is_told_or_ends_the_changefeed() {
        let model = serde_json::json!({
            "id": 104, "name": {"O": "t", "L": "t"}, "state": 5, "pk_is_handle": false, "cols": [],
        });
        let model = serde_json::from_value(model).unwrap();
        let table = TableInfo::new(1, "test", 1, &model, Compat::V8_5);
        let mut key = crate::mount::key::row_range(104).0.to_vec();
        key.extend((1_u64 ^ (1 << 63)).to_be_bytes());
        let change = |value: &str| RawKv {
            op: Op::Put,
            key: Bytes::from(key.clone()),
            value: hex::decode(value).unwrap().into(),
            old_value: Bytes::new(),
            start_ts: 1,
            commit_ts: 2,
        };
        let integrity = |fails| Integrity {
            changefeed: "default.x".to_owned(),
            release: Compat::V8_5.into(),
            fails,
        };
        let whole = change("8002020000000203010002000a61024f3eb341");
        let broken = change("8002020000000203010002000b61024f3eb341");
        assert_eq!(integrity(true).check(&whole, &table), Ok(()));
        assert_eq!(integrity(false).check(&broken, &table), Ok(()));
        let rest = RawKv {
            op: Op::Rest,
            ..broken.clone()
        };
        assert_eq!(integrity(true).check(&rest, &table), Ok(()));
        let error = integrity(true).check(&broken, &table).unwrap_err();
        assert_eq!(
            error.to_string(),
            "[CDC:ErrCorruptedDataMutation]Changefeed default.x stopped due to corrupted data mutation received"
        );
        assert!(is_fatal(&error));
    }
}
