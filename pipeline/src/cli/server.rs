//! `cdc server`.

use std::{path::Path, time::Duration};

use jiff::tz::TimeZone;

use super::{Failure, Outcome, flags::Values, pd};
use crate::{
    changefeed::capture::session_ttl,
    coded::{Code, Coded},
    compat::{Compat, Release},
    config::server::ServerFile,
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
    let file = match values.text("config") {
        "" => ServerFile::default(),
        path => ServerFile::read(Path::new(path), release.compat())
            .map_err(|error| Failure(error.to_string()))?,
    };
    let pick = |flag: &str, file: &Option<String>| -> String {
        match file {
            Some(text) if !values.has(flag) => text.clone(),
            _ => values.text(flag).to_owned(),
        }
    };
    let endpoints = match values.text("pd") {
        "" => return Err(invalid("empty PD address")),
        given => given,
    };
    pd::check(endpoints)?;
    let addr = pick("addr", &file.addr);
    if addr.is_empty() {
        return Err(invalid("empty address"));
    }
    let gc_ttl = pick("gc-ttl", &file.gc_ttl.map(|seconds| seconds.to_string()));
    let gc_ttl = match gc_ttl.parse::<u64>() {
        Ok(0) | Err(_) => return Err(invalid("empty GC TTL is not allowed")),
        Ok(seconds) => Duration::from_secs(seconds),
    };
    let cluster = match release.compat() {
        Compat::V4_0_9 => String::new(),
        Compat::V6_5 | Compat::V8_5 => pick("cluster-id", &file.cluster_id),
    };
    let options = Options {
        pd: pd::endpoints(endpoints),
        addr,
        advertise_addr: pick("advertise-addr", &file.advertise_addr),
        release,
        cluster,
        time_zone: time_zone(&pick("tz", &file.tz))?,
        gc_ttl,
        session_ttl: file
            .capture_session_ttl
            .unwrap_or_else(|| session_ttl(release.compat())),
        data_dir: match pick("data-dir", &file.data_dir).as_str() {
            "" => None,
            given => Some(given.into()),
        },
    };
    let level = LogLevel::open(
        &pick("log-level", &file.log_level),
        &pick("log-file", &file.log_file),
    )?;
    Ok(server::run(options, level).await?)
}
