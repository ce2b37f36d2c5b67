//! Refusals on demand, for tests of clients.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use proto::errorpb;

/// Requests that are to be refused.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    busy: Mutex<BTreeMap<Option<u64>, Busy>>,
}

#[derive(Debug, Clone)]
struct Busy {
    requests: u64,
    reason: String,
}

impl Faults {
    fn busy(&self) -> MutexGuard<'_, BTreeMap<Option<u64>, Busy>> {
        self.busy.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Refuses the next `requests` of a region, or of all, as a store does that has too much to do. 0 ends it.
    pub(crate) fn set_busy(&self, region: Option<u64>, requests: u64, reason: String) {
        let mut busy = self.busy();
        match requests {
            0 => busy.remove(&region),
            requests => busy.insert(region, Busy { requests, reason }),
        };
    }

    /// Whether this request is one of those; it counts as refused then.
    pub(crate) fn take_busy(&self, region: u64) -> Option<errorpb::ServerIsBusy> {
        let mut busy = self.busy();
        let which = [Some(region), None]
            .into_iter()
            .find(|which| busy.contains_key(which))?;
        let found = busy.get_mut(&which)?;
        found.requests -= 1;
        let reason = found.reason.clone();
        if found.requests == 0 {
            busy.remove(&which);
        }
        Some(errorpb::ServerIsBusy {
            reason,
            ..Default::default()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_requests_are_refused() {
        let faults = Faults::default();
        faults.set_busy(Some(7), 2, "test".to_owned());
        assert!(faults.take_busy(8).is_none());
        assert_eq!(faults.take_busy(7).unwrap().reason, "test");
        assert!(faults.take_busy(7).is_some() && faults.take_busy(7).is_none());
        faults.set_busy(None, 3, String::new());
        assert!(faults.take_busy(8).is_some());
        faults.set_busy(None, 0, String::new());
        assert!(faults.take_busy(8).is_none());
    }
}
