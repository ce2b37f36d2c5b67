//! HTTP for S3: hyper, with TLS by rustls and the system's certificates where the endpoint asks for it. (`reqwest`, which
//! the rest uses in the clear, would need a second library for TLS.)

use std::{fmt, sync::Arc, time::Duration};

use http_body_util::BodyExt;
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::{
    client::legacy::{
        Client,
        connect::{Connect, HttpConnector},
    },
    rt::TokioExecutor,
};
use object_store::{
    ClientOptions,
    client::{
        HttpClient, HttpError, HttpErrorKind, HttpRequest, HttpRequestBody, HttpResponse,
        HttpResponseBody, HttpService,
    },
};
use tokio_rustls::rustls::crypto::ring;

/// How long a single request may take until the answer begins.
const REQUEST: Duration = Duration::from_secs(30);

/// Makes clients.
#[derive(Debug)]
pub(super) struct Connector;

impl object_store::client::HttpConnector for Connector {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        let secure = HttpsConnectorBuilder::new()
            .with_provider_and_native_roots(Arc::new(ring::default_provider()));
        let client = Client::builder(TokioExecutor::new());
        Ok(match secure {
            Ok(secure) => HttpClient::new(Service(
                client.build(secure.https_or_http().enable_http1().build()),
            )),
            Err(error) => {
                tracing::warn!(%error, "no certificates of the system: storages are reached in the clear only");
                HttpClient::new(Service(client.build(HttpConnector::new())))
            }
        })
    }
}

struct Service<C>(Client<C, HttpRequestBody>);

impl<C> fmt::Debug for Service<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Service")
    }
}

#[async_trait::async_trait]
impl<C: Connect + Clone + Send + Sync + 'static> HttpService for Service<C> {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let answer = tokio::time::timeout(REQUEST, self.0.request(request))
            .await
            .map_err(|error| HttpError::new(HttpErrorKind::Timeout, error))?
            .map_err(|error| {
                let kind = match error.is_connect() {
                    true => HttpErrorKind::Connect,
                    false => HttpErrorKind::Request,
                };
                HttpError::new(kind, error)
            })?;
        Ok(answer.map(|body| {
            let broken = |error| HttpError::new(HttpErrorKind::Interrupted, error);
            HttpResponseBody::new(body.map_err(broken))
        }))
    }
}
