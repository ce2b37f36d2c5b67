//! Compression of message values (`large-message-handle-compression`, spec/canal-json.md §12).

use std::io::{self, Write};

use lz4_flex::frame::{BlockMode, BlockSize, FrameEncoder, FrameInfo};

/// How every value is compressed, those of DDL messages and watermarks too. It is not Kafka's own compression: consumers
/// have to undo it themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Compression {
    /// `none`.
    #[default]
    None,
    /// `lz4`: one frame, in blocks of at most 4 MB, with a checksum at its end.
    Lz4,
    /// `snappy`: one block without framing.
    Snappy,
}

impl Compression {
    /// Compresses what `out` has from `start` on, in place.
    ///
    /// # Errors
    /// For snappy, a value beyond 4 GB.
    pub(super) fn apply(self, out: &mut Vec<u8>, start: usize) -> io::Result<()> {
        let compressed = match self {
            Compression::None => return Ok(()),
            Compression::Lz4 => {
                let frame = FrameInfo::new()
                    .block_mode(BlockMode::Independent)
                    .block_size(BlockSize::Max4MB)
                    .content_checksum(true);
                let mut encoder = FrameEncoder::with_frame_info(frame, Vec::new());
                encoder.write_all(&out[start..])?;
                encoder.finish().map_err(io::Error::other)?
            }
            Compression::Snappy => snap::raw::Encoder::new().compress_vec(&out[start..])?,
        };
        out.truncate(start);
        out.extend_from_slice(&compressed);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use proptest::prelude::*;

    use super::*;

    fn undone(compression: Compression, bytes: &[u8]) -> Vec<u8> {
        match compression {
            Compression::None => bytes.to_vec(),
            Compression::Lz4 => {
                let mut out = Vec::new();
                lz4_flex::frame::FrameDecoder::new(bytes)
                    .read_to_end(&mut out)
                    .unwrap();
                out
            }
            Compression::Snappy => snap::raw::Decoder::new().decompress_vec(bytes).unwrap(),
        }
    }

    proptest! {
        #[test]
        fn values_come_back_and_what_stands_before_them_stays(
            before: Vec<u8>, value: Vec<u8>, times in 1_usize..300,
        ) {
            for compression in [Compression::None, Compression::Lz4, Compression::Snappy] {
                let value = value.repeat(times);
                let mut out = [before.as_slice(), &value].concat();
                compression.apply(&mut out, before.len()).unwrap();
                prop_assert_eq!(&out[..before.len()], before.as_slice());
                prop_assert_eq!(undone(compression, &out[before.len()..]), value);
            }
        }
    }
}
