//! Addresses of PD on the command line.

use super::Failure;
use crate::{
    coded::{Code, Coded},
    config::{golang::quote, uri::SinkUri},
    etcd,
};

/// The URLs in a flag.
pub(super) fn endpoints(pd: &str) -> Vec<String> {
    pd.split(',')
        .map(|one| one.trim().trim_end_matches('/').to_owned())
        .filter(|one| !one.is_empty())
        .collect()
}

/// A client of PD's etcd.
pub(super) fn etcd(pd: &str) -> Result<etcd::Client, Failure> {
    Ok(etcd::Client::new(&endpoints(pd))?)
}

/// Refuses what is no URL, in the words of releases since v5.
pub(super) fn check(pd: &str) -> Result<(), Failure> {
    let invalid =
        |reason: String| Failure(Coded::wrap(Code::ErrInvalidServerOption, reason).to_string());
    for endpoint in pd.split(',') {
        let url = SinkUri::parse(endpoint)
            .map_err(|error| invalid(format!("parse PD endpoint: {error}")))?;
        match url.scheme() {
            "http" => {}
            "https" => {
                return Err(Failure(
                    crate::config::kafka::unsupported("TLS to PD").to_string(),
                ));
            }
            _ => return Err(invalid("PD endpoint scheme should be http".to_owned())),
        }
    }
    Ok(())
}

/// What is said of a PD that does not answer.
pub(super) fn unreachable(pd: &str) -> Failure {
    Failure(format!(
        "Fail to open PD client. Please check the pd address(es)  {}: [pd] failed to get cluster id",
        quote(pd)
    ))
}
