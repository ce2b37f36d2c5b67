//! Cluster-wide unique ids, handed out from windows stored in etcd beforehand.

use std::sync::Arc;

use tokio::sync::Mutex;

use super::leader::Leadership;
use super::{Error, etcd};

/// Ids in one stored window.
const STEP: u64 = 1_000;

/// Hands out ids, from 1.
pub struct Ids {
    leadership: Arc<Leadership>,
    key: String,
    window: Mutex<Window>,
}

#[derive(Default)]
struct Window {
    last: u64,
    end: u64,
}

impl Ids {
    /// An allocator whose window is kept under `key`.
    pub fn new(leadership: Arc<Leadership>, key: String) -> Self {
        Self {
            leadership,
            key,
            window: Mutex::default(),
        }
    }

    /// `count` consecutive ids; the answer is the last of them.
    ///
    /// # Errors
    /// When a new window is needed and etcd does not take it, or this PD does not lead.
    pub async fn take(&self, count: u32) -> Result<u64, Error> {
        let count = u64::from(count.max(1));
        let mut window = self.window.lock().await;
        while window.end - window.last < count {
            self.extend(&mut window, count).await?;
        }
        window.last += count;
        Ok(window.last)
    }

    async fn extend(&self, window: &mut Window, count: u64) -> Result<(), Error> {
        let stored = self.leadership.etcd().get(&self.key).await?;
        let (condition, end) = match &stored {
            None => (etcd::absent(&self.key), 0),
            Some(kv) => (etcd::holds(&self.key, kv.value.clone()), etcd::number(kv)?),
        };
        let next = end + STEP.max(count);
        let value = next.to_be_bytes().to_vec().into();
        if self
            .leadership
            .write_if(vec![condition], vec![etcd::put(&self.key, value)])
            .await?
        {
            // What is left of the old window is used only if the new one follows it directly.
            if window.end != end {
                window.last = end;
            }
            window.end = next;
        }
        Ok(())
    }
}
