//! A client of a server's HTTP API.

use std::time::Duration;

use reqwest::Method;
use serde::{Serialize, de::DeserializeOwned};

use super::super::{Failure, flags::Values, pd};
use crate::{
    api::{ErrorBody, HINT, model::ServerStatus},
    changefeed::keys::Keys,
    changefeed::{capture, election},
    compat::Compat,
};

/// How long an answer may take: creating a changefeed asks Kafka.
const WITHIN: Duration = Duration::from_secs(60);
/// Where a server is when nothing says so.
const DEFAULT_SERVER: &str = "http://127.0.0.1:8300";

/// An answer with the server's hints.
pub(super) struct Answer<T> {
    pub(super) value: T,
    /// The body as it came.
    pub(super) text: String,
    pub(super) hints: Vec<String>,
}

/// Why a call failed.
pub(super) enum CallError {
    /// The server said no: its code and its text.
    Refused { code: String, text: String },
    /// It could not be asked.
    Failed(Failure),
}

impl From<CallError> for Failure {
    fn from(error: CallError) -> Self {
        match error {
            CallError::Refused { text, .. } => Failure(text),
            CallError::Failed(failure) => failure,
        }
    }
}

/// A client of one server.
pub(super) struct Client {
    base: String,
    http: reqwest::Client,
}

impl Client {
    /// The server that the flags name, or the owner that PD's etcd names.
    pub(super) async fn new(values: &Values) -> Result<Self, Failure> {
        let base = match (values.text("server"), values.text("pd")) {
            ("", "") => DEFAULT_SERVER.to_owned(),
            ("", pd) => {
                pd::check(pd)?;
                format!("http://{}", owner(pd).await?)
            }
            (server, _) if server.contains("://") => server.trim_end_matches('/').to_owned(),
            (server, _) => format!("http://{server}"),
        };
        let http = reqwest::Client::builder()
            .timeout(WITHIN)
            .connect_timeout(Duration::from_secs(5))
            .no_proxy()
            .build()?;
        let client = Self { base, http };
        // the original asks this first, and says so when it cannot
        client.get::<ServerStatus>("status").await?;
        Ok(client)
    }

    /// Asks the server; the path begins behind `/api/v2/`.
    pub(super) async fn call<B: Serialize, T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<&B>,
    ) -> Result<Answer<T>, CallError> {
        let url = format!("{}/api/v2/{path}", self.base);
        let verb = capitalized(method.as_str());
        let failed = |error: reqwest::Error| {
            let root = crate::api::root_cause(&error);
            let host = self.base.trim_start_matches("http://");
            let reason = if error.is_connect() && root.contains("refused") {
                format!("dial tcp {host}: connect: connection refused")
            } else {
                root
            };
            CallError::Failed(Failure(format!("{verb} \"{url}\": {reason}")))
        };
        let mut request = self.http.request(method, &url);
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request.send().await.map_err(failed)?;
        let status = answer.status();
        let hints = answer
            .headers()
            .get_all(HINT)
            .iter()
            .filter_map(|hint| hint.to_str().ok().map(str::to_owned))
            .collect();
        let bytes = answer.bytes().await.map_err(failed)?;
        if !status.is_success() {
            return Err(match serde_json::from_slice::<ErrorBody>(&bytes) {
                Ok(body) => CallError::Refused {
                    code: body.error_code,
                    text: body.error_msg,
                },
                Err(_) => CallError::Failed(Failure(format!(
                    "{verb} \"{url}\": {status}: {}",
                    String::from_utf8_lossy(&bytes).trim()
                ))),
            });
        }
        let value = serde_json::from_slice(&bytes).map_err(|error| {
            CallError::Failed(Failure(format!("read the answer of \"{url}\": {error}")))
        })?;
        Ok(Answer {
            value,
            text: String::from_utf8_lossy(&bytes).into_owned(),
            hints,
        })
    }

    /// Asks for something.
    pub(super) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, CallError> {
        let answer = self.call::<(), T>(Method::GET, path, None).await?;
        Ok(answer.value)
    }

    /// Tells the server something.
    pub(super) async fn send<B: Serialize>(
        &self,
        method: Method,
        path: &str,
        body: &B,
    ) -> Result<(), CallError> {
        self.call::<B, serde_json::Value>(method, path, Some(body))
            .await
            .map(drop)
    }
}

fn capitalized(method: &str) -> String {
    let mut name = method.to_lowercase();
    if let Some(first) = name.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    name
}

/// The address of the owner, from PD's etcd.
async fn owner(pd: &str) -> Result<String, Failure> {
    let etcd = pd::etcd(pd)?;
    let keys = Keys::new(Compat::V8_5, "default");
    let failed = |error: crate::etcd::Error| {
        if error.is_unreachable() {
            pd::unreachable(pd)
        } else {
            error.into()
        }
    };
    let owner = election::owner(&etcd, &keys).await.map_err(failed)?;
    let captures = capture::captures(&etcd, &keys).await.map_err(failed)?;
    captures
        .into_iter()
        .find(|capture| Some(&capture.id) == owner.as_ref())
        .map(|capture| capture.address)
        .ok_or_else(|| Failure("[CDC:ErrOwnerNotFound]owner not found".to_owned()))
}

/// The path of a changefeed, with its namespace.
pub(super) fn path(values: &Values, action: &str) -> String {
    let id = values.text("changefeed-id");
    let id: String = url::form_urlencoded::byte_serialize(id.as_bytes()).collect();
    let action = if action.is_empty() {
        String::new()
    } else {
        format!("/{action}")
    };
    format!(
        "changefeeds/{}{action}?namespace={}",
        id.replace('+', "%20"),
        namespace(values)
    )
}

/// The namespace as a part of a query.
pub(super) fn namespace(values: &Values) -> String {
    url::form_urlencoded::byte_serialize(values.text("namespace").as_bytes()).collect()
}
