//! `cdc server`.

use std::time::Duration;

use jiff::tz::TimeZone;

use super::{Failure, Outcome, flags::Values, pd};
use crate::{
    coded::{Code, Coded},
    compat::{Compat, Release},
    config::kafka::unsupported,
    server::{self, LogLevel, Options},
};

fn invalid(reason: impl std::fmt::Display) -> Failure {
    Failure(Coded::wrap(Code::ErrInvalidServerOption, reason).to_string())
}

/// The time zone of a name; `System` is that of the machine.
fn time_zone(name: &str) -> Result<TimeZone, Failure> {
    match name {
        "" | "System" | "SYSTEM" | "system" | "Local" => Ok(TimeZone::system()),
        name => TimeZone::get(name)
            .map_err(|error| Failure(format!("can not load timezone: {error} (--tz {name})"))),
    }
}

pub(super) async fn run(release: Release, values: &Values) -> Outcome {
    if !values.text("config").is_empty() {
        let reason = unsupported("a configuration file of the server");
        return Err(Failure(reason.to_string()));
    }
    let endpoints = match values.text("pd") {
        "" => return Err(invalid("empty PD address")),
        given => given,
    };
    pd::check(endpoints)?;
    let addr = values.text("addr");
    if addr.is_empty() {
        return Err(invalid("empty address"));
    }
    let gc_ttl = values.text("gc-ttl");
    let gc_ttl = match gc_ttl.parse::<u64>() {
        Ok(0) | Err(_) => return Err(invalid("empty GC TTL is not allowed")),
        Ok(seconds) => Duration::from_secs(seconds),
    };
    let cluster = match release.compat() {
        Compat::V4_0_9 => "",
        Compat::V6_5 | Compat::V8_5 => values.text("cluster-id"),
    };
    let options = Options {
        pd: pd::endpoints(endpoints),
        addr: addr.to_owned(),
        advertise_addr: values.text("advertise-addr").to_owned(),
        release,
        cluster: cluster.to_owned(),
        time_zone: time_zone(values.text("tz"))?,
        gc_ttl,
        data_dir: match values.text("data-dir") {
            "" => None,
            given => Some(given.into()),
        },
    };
    let level = LogLevel::open(values.text("log-level"), values.text("log-file"))?;
    Ok(server::run(options, level).await?)
}
