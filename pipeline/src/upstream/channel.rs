//! gRPC connections, one for each address, opened on first use.

use std::{collections::HashMap, sync::Mutex, time::Duration};

use tonic::transport::{Channel, Endpoint};

/// How long opening a connection may take.
const CONNECT: Duration = Duration::from_secs(3);
/// A peer that answers no ping for this long is gone.
const PING_TIMEOUT: Duration = Duration::from_secs(3);
const PING_INTERVAL: Duration = Duration::from_secs(10);

/// The largest message taken: stores send rows of many MiB, far above gRPC's default of 4 MiB (`golden/tikv-feed`, 09).
pub(crate) const MESSAGE_LIMIT: usize = 1 << 30;

/// Connections by address (`http://host:port`).
#[derive(Debug)]
pub(crate) struct Channels {
    stream_window: u32,
    open: Mutex<HashMap<String, Channel>>,
}

impl Channels {
    /// Connections whose streams each may have `stream_window` bytes under way.
    pub(crate) fn new(stream_window: u32) -> Self {
        Self {
            stream_window,
            open: Mutex::default(),
        }
    }

    /// The connection to `address`; it connects when first used, and again after it broke.
    pub(crate) fn get(&self, address: &str) -> Result<Channel, tonic::transport::Error> {
        let mut open = self
            .open
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(channel) = open.get(address) {
            return Ok(channel.clone());
        }
        let channel = Endpoint::from_shared(address.to_owned())?
            .connect_timeout(CONNECT)
            .tcp_nodelay(true)
            .http2_keep_alive_interval(PING_INTERVAL)
            .keep_alive_timeout(PING_TIMEOUT)
            .keep_alive_while_idle(true)
            .initial_stream_window_size(self.stream_window)
            // Only the windows of single streams hold a store back: one that nobody reads must not stop its neighbours.
            .initial_connection_window_size((1 << 31) - 1)
            .connect_lazy();
        open.insert(address.to_owned(), channel.clone());
        Ok(channel)
    }
}

/// `host:port` as stores and users write it, as `http://host:port`.
pub(crate) fn normalize(address: &str) -> Result<String, String> {
    let address = address.trim().trim_end_matches('/');
    let plain = match address.split_once("://") {
        None => address,
        Some(("http", rest)) => rest,
        Some(("https", _)) => return Err("TLS is not supported, expected http://host:port".into()),
        Some((scheme, _)) => {
            return Err(format!(
                "scheme {scheme:?} is unknown, expected http://host:port"
            ));
        }
    };
    let uri = format!("http://{plain}");
    match uri.parse::<http::Uri>() {
        Ok(parsed)
            if parsed.port_u16().is_some() && parsed.path() == "/" && parsed.query().is_none() =>
        {
            Ok(uri)
        }
        Ok(_) => Err("expected http://host:port".into()),
        Err(error) => Err(format!("{error}, expected http://host:port")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_normalized_or_refused() {
        assert_eq!(
            normalize("127.0.0.1:2379").as_deref(),
            Ok("http://127.0.0.1:2379")
        );
        assert_eq!(
            normalize(" http://pd-0.pd:2379/ ").as_deref(),
            Ok("http://pd-0.pd:2379")
        );
        assert_eq!(
            normalize("http://[::1]:2379").as_deref(),
            Ok("http://[::1]:2379")
        );
        for bad in [
            "",
            "http://",
            "pd",
            "https://pd:2379",
            "ftp://pd:1",
            "pd:2379/x",
            "pd:99999",
            "a b:1",
        ] {
            assert!(normalize(bad).is_err(), "{bad}");
        }
    }
}
