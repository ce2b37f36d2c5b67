//! What becomes of messages that are too large (`spec/canal-json.md §12`).

use super::{kafka::unsupported, replica::LargeMessageHandle};
use crate::{
    codec::canal_json::{Compression, LargeRows},
    coded::Coded,
    compat::Compat,
};

/// `sink.kafka-config.large-message-handle`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LargeMessages {
    /// What becomes of a row beyond `max-message-bytes`.
    pub rows: LargeRows,
    /// How every value is compressed.
    pub compression: Compression,
    /// Where claims are kept: `claim-check-storage-uri`.
    pub storage_uri: String,
    /// Whether a claim is the bare value: `claim-check-raw-value`.
    pub raw_value: bool,
}

impl LargeMessages {
    /// Nothing is done: rows that are too large end the changefeed.
    #[must_use]
    pub fn none() -> Self {
        Self {
            rows: LargeRows::Refuse,
            compression: Compression::None,
            storage_uri: String::new(),
            raw_value: false,
        }
    }

    /// Reads what [`validate::adjust`](super::validate::adjust) has checked. Options with other names are taken for
    /// `none`: the original takes them and leaves such rows to the broker, which refuses them.
    ///
    /// # Errors
    /// `ErrUnsupportedByPipeline` before v8.5: v6.5.3 does not have it, later releases of v6.5 have parts of it.
    pub fn read(handle: Option<&LargeMessageHandle>, compat: Compat) -> Result<Self, Coded> {
        let Some(handle) = handle else {
            return Ok(Self::none());
        };
        let rows = match handle.large_message_handle_option.as_str() {
            "handle-key-only" => LargeRows::HandleKeyOnly,
            "claim-check" => LargeRows::ClaimCheck,
            "" | "none" => LargeRows::Refuse,
            other => {
                tracing::warn!(
                    option = other,
                    "this large-message-handle-option is not known, rows that are too large are refused"
                );
                LargeRows::Refuse
            }
        };
        let compression = match handle.large_message_handle_compression.as_str() {
            "lz4" => Compression::Lz4,
            "snappy" => Compression::Snappy,
            _ => Compression::None,
        };
        let used = rows != LargeRows::Refuse || compression != Compression::None;
        if used && compat < Compat::V8_5 {
            return Err(unsupported(format_args!(
                "large-message-handle as {compat}"
            )));
        }
        Ok(Self {
            rows,
            compression,
            storage_uri: handle.claim_check_storage_uri.clone(),
            raw_value: handle.claim_check_raw_value,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::coded::Code;

    fn handle(option: &str, compression: &str) -> LargeMessageHandle {
        LargeMessageHandle {
            large_message_handle_option: option.to_owned(),
            large_message_handle_compression: compression.to_owned(),
            ..LargeMessageHandle::default()
        }
    }

    #[test]
    fn options_by_their_names() {
        let read = |option, compression| {
            let read = LargeMessages::read(Some(&handle(option, compression)), Compat::V8_5);
            let read = read.unwrap();
            (read.rows, read.compression)
        };
        assert_eq!(read("none", "none"), (LargeRows::Refuse, Compression::None));
        assert_eq!(
            read("claim-check", "lz4"),
            (LargeRows::ClaimCheck, Compression::Lz4)
        );
        assert_eq!(
            read("handle-key-only", "snappy"),
            (LargeRows::HandleKeyOnly, Compression::Snappy)
        );
        assert_eq!(read("nope", ""), (LargeRows::Refuse, Compression::None));
    }

    #[test]
    fn older_releases_do_not_have_it() {
        for (option, compression) in [("handle-key-only", "none"), ("none", "lz4")] {
            let handle = handle(option, compression);
            let error = LargeMessages::read(Some(&handle), Compat::V6_5).unwrap_err();
            assert_eq!(error.code(), Code::ErrUnsupportedByPipeline);
        }
        let none = LargeMessages::read(Some(&handle("none", "none")), Compat::V6_5).unwrap();
        assert_eq!(none, LargeMessages::none());
    }
}
