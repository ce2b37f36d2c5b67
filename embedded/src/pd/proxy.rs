//! etcd's own API on PD's port: requests are handed to the real etcd as they are, bodies and trailers streamed both ways.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::uri::{Authority, Scheme};
use http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode, Uri, Version, header};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

/// gRPC packages that etcd serves.
const PACKAGES: [&str; 3] = ["/etcdserverpb.", "/v3electionpb.", "/v3lockpb."];
/// HTTP/1 paths that an etcd inside PD answers.
const PATHS: [&str; 3] = ["/v3/", "/version", "/health"];

/// gRPC's code for "try again later".
const UNAVAILABLE: HeaderValue = HeaderValue::from_static("14");

/// Passes requests on to one etcd.
#[derive(Clone)]
pub struct Proxy {
    authority: Authority,
    grpc: Client<HttpConnector, Body>,
    http: Client<HttpConnector, Body>,
}

impl Proxy {
    /// A proxy for the etcd at that address; `None` if it has no host.
    pub fn new(url: &str) -> Option<Self> {
        let authority = url.parse::<Uri>().ok()?.into_parts().authority?;
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let grpc = Client::builder(TokioExecutor::new())
            .http2_only(true)
            .build(connector.clone());
        let http = Client::builder(TokioExecutor::new()).build(connector);
        Some(Self {
            authority,
            grpc,
            http,
        })
    }

    /// Whether etcd answers that path.
    pub fn serves(path: &str) -> bool {
        PACKAGES
            .iter()
            .chain(&PATHS)
            .any(|prefix| path.starts_with(prefix))
    }

    /// Hands a request on; etcd being away is gRPC's UNAVAILABLE, or HTTP's 502.
    pub async fn pass(&self, mut request: Request<Body>) -> Response {
        let grpc = is_grpc(request.headers());
        let mut parts = std::mem::take(request.uri_mut()).into_parts();
        (parts.scheme, parts.authority) = (Some(Scheme::HTTP), Some(self.authority.clone()));
        match Uri::from_parts(parts) {
            Ok(uri) => *request.uri_mut() = uri,
            Err(error) => return (StatusCode::BAD_REQUEST, error.to_string()).into_response(),
        }
        let client = if grpc {
            *request.version_mut() = Version::HTTP_2;
            &self.grpc
        } else {
            *request.version_mut() = Version::HTTP_11;
            request.headers_mut().remove(header::HOST);
            &self.http
        };
        match client.request(request).await {
            Ok(response) => response.map(Body::new),
            Err(error) => {
                let text = format!("etcd at {} cannot be reached: {error}", self.authority);
                tracing::debug!(text);
                if grpc {
                    refuse_grpc(&text)
                } else {
                    (StatusCode::BAD_GATEWAY, text).into_response()
                }
            }
        }
    }
}

fn is_grpc(headers: &HeaderMap) -> bool {
    headers
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc"))
}

fn refuse_grpc(text: &str) -> Response {
    let mut response = Response::new(Body::empty());
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/grpc"),
    );
    headers.insert(HeaderName::from_static("grpc-status"), UNAVAILABLE);
    if let Ok(message) =
        HeaderValue::from_str(&text.replace(|c: char| !(' '..='~').contains(&c), " "))
    {
        headers.insert(HeaderName::from_static("grpc-message"), message);
    }
    response
}
