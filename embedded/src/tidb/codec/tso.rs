//! Timestamps: milliseconds since 1970 UTC in the high 46 bits, a logical counter in the low 18.

/// Bits of the logical part.
const LOGICAL_BITS: u32 = 18;

/// Composes a TSO.
pub fn compose(physical_ms: u64, logical: u64) -> u64 {
    (physical_ms << LOGICAL_BITS) | (logical & ((1 << LOGICAL_BITS) - 1))
}

/// Milliseconds since 1970 UTC.
pub fn physical_ms(tso: u64) -> u64 {
    tso >> LOGICAL_BITS
}

/// The logical counter.
pub fn logical(tso: u64) -> u64 {
    tso & ((1 << LOGICAL_BITS) - 1)
}
