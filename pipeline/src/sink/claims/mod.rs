//! Claim checks: messages that Kafka does not take are stored elsewhere, and what goes out names their place
//! (`spec/canal-json.md §12`).

mod client;
mod place;
#[cfg(test)]
mod tests;

use std::time::Duration;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use object_store::{ObjectStore, ObjectStoreExt, PutPayload};
use uuid::Uuid;

use self::place::Place;
use crate::coded::{Code, Coded};

/// How long the storage may take for one message, retries included: as long as TiCDC waits.
const PATIENCE: Duration = Duration::from_secs(300);

/// A storage for messages.
#[derive(Debug)]
pub struct Claims {
    store: Box<dyn ObjectStore>,
    place: Place,
    raw_value: bool,
}

/// A storage that cannot be used, under TiCDC's code.
fn not_created(reason: impl std::fmt::Display) -> Coded {
    Coded::wrap(Code::ErrFailToCreateExternalStorage, reason)
}

impl Claims {
    /// Opens the storage and asks it for a file, as TiCDC does: whether that is there does not matter. A local folder
    /// is made.
    ///
    /// # Errors
    /// `ErrFailToCreateExternalStorage`; `ErrUnsupportedByPipeline` for storages that TiCDC can write to and this
    /// pipeline cannot.
    pub async fn open(storage_uri: &str, raw_value: bool) -> Result<Self, Coded> {
        let place = Place::parse(storage_uri)?;
        let store = place.open()?;
        let asked = tokio::time::timeout(PATIENCE, store.head(&place.file("test"))).await;
        match asked {
            Ok(Ok(_) | Err(object_store::Error::NotFound { .. })) => {}
            Ok(Err(error)) => return Err(not_created(format_args!("{place}: {error}"))),
            Err(_) => {
                return Err(not_created(format_args!(
                    "{place}: no answer in {} s",
                    PATIENCE.as_secs()
                )));
            }
        }
        Ok(Self {
            store,
            place,
            raw_value,
        })
    }

    /// Stores a message's value under a name that nobody has used and gives its place. It is there when this returns.
    ///
    /// # Errors
    /// `ErrProcessorUnknown`, as TiCDC has no code for it.
    pub async fn store(&self, value: &[u8]) -> Result<String, Coded> {
        let name = format!("{}.json", Uuid::new_v4());
        let content = match self.raw_value {
            true => value.to_vec(),
            false => {
                // The record's key is null, whatever Kafka makes of it.
                let value = BASE64_STANDARD.encode(value);
                format!("{{\"key\":null,\"value\":\"{value}\"}}").into_bytes()
            }
        };
        let location = self.place.location(&name);
        let file = self.place.file(&name);
        let stored = self.store.put(&file, PutPayload::from(content));
        let failed = |reason: String| {
            Coded::new(
                Code::ErrProcessorUnknown,
                format!("failed to store a message at {location}: {reason}"),
            )
        };
        match tokio::time::timeout(PATIENCE, stored).await {
            Ok(Ok(_)) => Ok(location),
            Ok(Err(error)) => Err(failed(error.to_string())),
            Err(_) => Err(failed(format!("no answer in {} s", PATIENCE.as_secs()))),
        }
    }
}
