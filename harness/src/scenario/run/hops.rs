//! Where a row got stuck: asked when the barrier was not reached.

use crate::lab::Lab;
use crate::observe::changefeed::Cdc;

/// What can be seen of a changefeed that did not get to `target`: components that are not up, else which side of the
/// pipeline lags.
pub(super) async fn stalled(lab: &Lab, cdc: &Cdc, changefeed: &str, target: u64) -> String {
    if let Ok(status) = lab.status().await {
        let down: Vec<String> = status
            .components
            .iter()
            .filter(|component| component.state != "up")
            .map(|component| {
                let reason = component.reason.as_deref().unwrap_or(&component.state);
                format!(
                    "{} ({reason}; its log is {})",
                    component.name,
                    component.log.display()
                )
            })
            .collect();
        if !down.is_empty() {
            return format!("not up: {}", down.join(", "));
        }
    }
    let queried = cdc.cli(&["changefeed", "query", "-c", changefeed]).await;
    let detail: serde_json::Value = match queried {
        Ok(text) => serde_json::from_str(&text).unwrap_or_default(),
        Err(error) => return format!("`changefeed query` fails too: {error}"),
    };
    side(&detail, target)
}

/// Which side lags, from either generation's `changefeed query`.
fn side(detail: &serde_json::Value, target: u64) -> String {
    let resolved = detail["resolved_ts"]
        .as_u64()
        .or(detail["status"]["resolved-ts"].as_u64());
    match resolved {
        Some(resolved) if resolved >= target => format!(
            "stalled between the pipeline and Kafka: everything has arrived from TiKV (resolved-ts {resolved}), and is \
             not acknowledged"
        ),
        Some(resolved) => format!(
            "stalled between TiKV and the pipeline: resolved-ts {resolved} is {} ms behind",
            (target >> 18).saturating_sub(resolved >> 18)
        ),
        None => "`changefeed query` shows no resolved-ts".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_side_that_lags_is_named() {
        let target = 2000 << 18;
        let old = json!({"status": {"resolved-ts": target, "checkpoint-ts": 5}});
        assert!(side(&old, target).contains("between the pipeline and Kafka"));
        let new = json!({"resolved_ts": 1990_u64 << 18});
        assert!(side(&new, target).contains("between TiKV and the pipeline"));
        assert!(side(&new, target).contains("10 ms behind"));
    }
}
