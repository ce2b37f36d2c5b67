//! Room for recursion: texts come from users, and no text may end the process.

/// What must be left of the stack before a level is entered: more than one level takes in an unoptimised build.
const LEFT: usize = 128 << 10;
/// What is added when less is left.
const ADDED: usize = 2 << 20;

/// Runs a level of a recursion, on more stack if little is left.
pub(crate) fn on_enough_stack<T>(level: impl FnOnce() -> T) -> T {
    stacker::maybe_grow(LEFT, ADDED, level)
}
