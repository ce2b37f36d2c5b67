//! Brokers that are all gone: the client library waits for them until a message has timed out, TiCDC gives up after some
//! four seconds (`golden/ticdc/faults`), and a changefeed that has failed can say why and goes on as soon as one is back.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use super::{cluster::dial_any, connection::Connection, deliveries::State};
use crate::compat::Compat;

/// For so long brokers may be gone: one that restarts quickly is not noticed.
const PATIENCE: Duration = Duration::from_secs(2);
/// How often they are looked for.
const PACE: Duration = Duration::from_millis(100);

/// Whether messages fail when all brokers are gone. v4.0.9 tries for minutes (`spec/sink-uri.md §2`).
pub(super) fn gives_up(compat: Compat) -> bool {
    compat > Compat::V4_0_9
}

/// Fails the producer when it has lost every broker, none can be reached for a while, and messages wait for one. Runs until
/// then.
pub(super) async fn watch(connection: Connection, topic: String, state: Arc<State>) {
    loop {
        state.lost.notified().await;
        let since = Instant::now();
        // the library has lost its connections; whether brokers are there is another question
        while let Err(error) = dial_any(&connection).await {
            if since.elapsed() >= PATIENCE && state.waits() {
                state.give_up(&topic, error);
                return;
            }
            tokio::time::sleep(PACE).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use rdkafka::mocking::MockCluster;

    use super::*;

    #[test]
    fn by_release() {
        assert!(!gives_up(Compat::V4_0_9));
        assert!(gives_up(Compat::V6_5) && gives_up(Compat::V8_5));
    }

    #[tokio::test]
    async fn brokers_that_answer_are_not_gone() {
        let cluster = MockCluster::new(1).unwrap();
        let connection = Connection::plain(vec![cluster.bootstrap_servers()], "x".to_owned());
        let state = Arc::new(State::default());
        state.lost.notify_one();
        let watching = watch(connection, "t".to_owned(), Arc::clone(&state));
        let outcome = tokio::time::timeout(PATIENCE + Duration::from_secs(1), watching).await;
        assert!(outcome.is_err(), "given up though the broker is there");
    }
}
