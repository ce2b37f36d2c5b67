//! Changing what a changefeed is (`spec/cli-and-api.md §2`).

use serde::{Deserialize, Serialize};

use super::{create, info::Info, keys::Id};
use crate::{
    coded::{Code, Coded},
    compat::Compat,
    config::{filter::TableFilter, replica::api, validate},
    model::Ts,
};

/// What is to change; what is not named stays.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Request {
    /// Where it ends.
    #[serde(skip_serializing_if = "is_zero")]
    pub target_ts: Ts,
    /// Where to.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub sink_uri: String,
    /// How, as a whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replica_config: Option<api::ReplicaConfig>,
}

#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_zero(ts: &Ts) -> bool {
    *ts == 0
}

fn refused(reason: impl std::fmt::Display) -> Coded {
    Coded::wrap(Code::ErrChangefeedUpdateRefused, reason)
}

/// What is said of a changefeed that runs.
#[must_use]
pub fn running() -> Coded {
    refused("can only update changefeed config when it is stopped or failed")
}

/// The changefeed after the change, checked as when it was created.
///
/// # Errors
/// `ErrChangefeedUpdateRefused`.
pub async fn apply(old: &Info, request: Request, compat: Compat) -> Result<Info, Coded> {
    let mut info = old.clone();
    info.config.forget_unused();
    let before = info.clone();
    if request.target_ts != 0 {
        if request.target_ts <= info.start_ts {
            return Err(refused(format_args!(
                "can not update target_ts:{} less than start_ts:{}",
                request.target_ts, info.start_ts
            )));
        }
        info.target_ts = request.target_ts;
    }
    let mut sink_changed = false;
    if let Some(config) = request.replica_config {
        info.config = config.replacing();
        sink_changed = true;
    }
    if !request.sink_uri.is_empty() {
        info.sink_uri = request.sink_uri;
        sink_changed = true;
    }
    if sink_changed {
        let uri = create::parse_uri(&info.sink_uri).map_err(refused)?;
        validate::adjust(&mut info.config, &uri).map_err(refused)?;
        let rules = &info.config.filter.rules;
        TableFilter::new(rules, info.config.case_sensitive, compat).map_err(refused)?;
        let id = Id::new(&info.namespace, &info.id);
        create::check_sink(&uri, &info.config, compat, &id)
            .await
            .map_err(refused)?;
    }
    if info == before {
        return Err(refused(
            "changefeed config is the same with the old one, do nothing",
        ));
    }
    Ok(info)
}
