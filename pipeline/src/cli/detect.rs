//! Which release's command line is meant.

use std::time::Duration;

use serde::Deserialize;

use super::{Failure, pd};
use crate::{
    changefeed::{info::CaptureInfo, keys::ROOT},
    compat::{Compat, Release},
};

/// How long to look for a server.
const WITHIN: Duration = Duration::from_secs(2);

/// The value of a flag, wherever it stands.
fn flag<'a>(args: &'a [String], name: &str) -> Option<&'a str> {
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        let Some(rest) = arg
            .strip_prefix("--")
            .and_then(|arg| arg.strip_prefix(name))
        else {
            continue;
        };
        match rest.strip_prefix('=') {
            Some(value) => return Some(value),
            None if rest.is_empty() => return args.next().map(String::as_str),
            None => {}
        }
    }
    None
}

/// The release: as told, else one like that of the servers, else the newest.
pub(super) async fn release(args: &[String]) -> Result<Release, Failure> {
    let told = flag(args, "compat").map(str::to_owned);
    let told = told.or_else(|| std::env::var("CDC_COMPAT").ok().filter(|v| !v.is_empty()));
    if let Some(told) = told {
        return Ok(told.parse()?);
    }
    if args.first().is_none_or(|arg| arg != "cli") {
        return Ok(Compat::V8_5.into());
    }
    let asked = async {
        match (flag(args, "server"), flag(args, "pd")) {
            (Some(server), _) if !server.is_empty() => of_server(server).await,
            (_, Some(pd)) => of_etcd(pd).await,
            _ => match of_server("http://127.0.0.1:8300").await {
                Some(compat) => Some(compat),
                None => of_etcd("http://127.0.0.1:2379").await,
            },
        }
    };
    let found = tokio::time::timeout(WITHIN, asked).await;
    Ok(found.ok().flatten().unwrap_or(Compat::V8_5).into())
}

/// The level that behaves as a release.
fn of_version(version: &str) -> Option<Compat> {
    let mut numbers = version.trim_start_matches('v').split('.');
    let major: u32 = numbers.next()?.parse().ok()?;
    Some(match major {
        0..5 => Compat::V4_0_9,
        5..7 => Compat::V6_5,
        _ => Compat::V8_5,
    })
}

#[derive(Deserialize)]
struct Status {
    version: String,
}

async fn of_server(url: &str) -> Option<Compat> {
    let url = format!("{}/status", url.trim_end_matches('/'));
    let answer = reqwest::get(url).await.ok()?;
    of_version(&answer.json::<Status>().await.ok()?.version)
}

async fn of_etcd(pd: &str) -> Option<Compat> {
    let etcd = pd::etcd(pd).ok()?;
    let root = format!("{ROOT}/capture/");
    if !etcd.list(&root).await.ok()?.0.is_empty() {
        return Some(Compat::V4_0_9);
    }
    let (pairs, _) = etcd.list(&format!("{ROOT}/")).await.ok()?;
    pairs.iter().find_map(|pair| {
        let key = std::str::from_utf8(&pair.key).ok()?;
        key.contains("/__cdc_meta__/capture/").then_some(())?;
        let capture: CaptureInfo = serde_json::from_slice(&pair.value).ok()?;
        of_version(&capture.version)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_found_wherever_they_stand() {
        let args = [
            "cli",
            "changefeed",
            "list",
            "--pd=http://h:1",
            "--compat",
            "v4.0.9",
        ];
        let args = args.map(str::to_owned);
        assert_eq!(flag(&args, "pd"), Some("http://h:1"));
        assert_eq!(flag(&args, "compat"), Some("v4.0.9"));
        assert_eq!(flag(&args, "server"), None);
    }

    #[test]
    fn releases() {
        assert_eq!(of_version("v4.0.9"), Some(Compat::V4_0_9));
        assert_eq!(of_version("v6.5.3"), Some(Compat::V6_5));
        assert_eq!(of_version("v8.4.0"), Some(Compat::V8_5));
        assert_eq!(of_version("None"), None);
    }
}
