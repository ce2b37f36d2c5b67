//! The one way to wait: ask again until a condition holds or its deadline has passed.

use std::future::Future;
use std::time::{Duration, Instant};

/// How often a condition is looked at.
const PACE: Duration = Duration::from_millis(10);

/// Asks `condition` until it answers `Ok(Ok(value))`.
///
/// # Errors
/// The last `Err(missing)` when the deadline has passed, or an outer `Err` at once.
pub async fn until<T, E, F, Fut>(
    deadline: Duration,
    mut condition: F,
) -> Result<Result<T, String>, E>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Result<Result<T, String>, E>>,
{
    let end = Instant::now() + deadline;
    loop {
        match condition().await? {
            Ok(value) => return Ok(Ok(value)),
            Err(missing) if Instant::now() >= end => return Ok(Err(missing)),
            Err(_) => tokio::time::sleep(PACE).await,
        }
    }
}
