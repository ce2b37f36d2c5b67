//! Folders are real; S3 is a server that keeps what it is given and checks that requests are signed for what they hold.

use std::{
    collections::BTreeMap,
    fs,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, Method, StatusCode, Uri},
    response::{IntoResponse, Response},
};
use serde_json::Value;

use super::*;

fn value_of(content: &[u8]) -> Vec<u8> {
    let content: Value = serde_json::from_slice(content).unwrap();
    assert!(content["key"].is_null(), "{content}");
    BASE64_STANDARD
        .decode(content["value"].as_str().unwrap())
        .unwrap()
}

#[tokio::test]
async fn a_folder_is_made_and_keeps_each_message_under_a_name_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let deep = folder.path().join("a b/claims");
    let uri = format!("file://{}/", deep.display().to_string().replace(' ', "%20"));
    let claims = Claims::open(&uri, false).await.unwrap();
    let one = claims.store(b"{\"id\":0}").await.unwrap();
    let two = claims.store(b"\xff\x00").await.unwrap();
    assert_ne!(one, two);
    let path = one.strip_prefix("file://").unwrap();
    assert!(path.starts_with(deep.to_str().unwrap()) && path.ends_with(".json"));
    assert_eq!(
        fs::read_to_string(path).unwrap(),
        "{\"key\":null,\"value\":\"eyJpZCI6MH0=\"}"
    );
    assert_eq!(value_of(&fs::read(path).unwrap()), b"{\"id\":0}");
    assert_eq!(fs::read_dir(&deep).unwrap().count(), 2);

    let raw = Claims::open(&uri, true).await.unwrap();
    let place = raw.store(b"\xff\x00").await.unwrap();
    assert_eq!(
        fs::read(place.strip_prefix("file://").unwrap()).unwrap(),
        b"\xff\x00"
    );
}

#[tokio::test]
async fn a_folder_that_cannot_be_is_told_at_once_and_one_that_is_gone_when_it_is_missed() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, b"").unwrap();
    let error = Claims::open(&format!("file://{}/x", file.display()), false)
        .await
        .unwrap_err();
    assert_eq!(error.code(), Code::ErrFailToCreateExternalStorage);

    let gone = folder.path().join("gone");
    let claims = Claims::open(&format!("file://{}", gone.display()), false)
        .await
        .unwrap();
    fs::remove_dir(&gone).unwrap();
    fs::write(&gone, b"a file is in the way").unwrap();
    let error = claims.store(b"x").await.unwrap_err();
    assert_eq!(error.code(), Code::ErrProcessorUnknown);
    assert!(error.message().contains("gone/"), "{error}");
}

#[tokio::test]
async fn what_is_no_storage_or_none_of_ours_is_refused() {
    for (uri, code, words) in [
        ("gcs://b/p", Code::ErrUnsupportedByPipeline, "'gcs'"),
        ("azblob://b/p", Code::ErrUnsupportedByPipeline, "'azblob'"),
        (
            "s3://b/p?sse=AES256",
            Code::ErrUnsupportedByPipeline,
            "sse in",
        ),
        (
            "s3://b/p?role_arn=x",
            Code::ErrUnsupportedByPipeline,
            "role-arn in",
        ),
        (
            "ftp://b/p",
            Code::ErrFailToCreateExternalStorage,
            "storage ftp not support",
        ),
        ("s3:///p", Code::ErrFailToCreateExternalStorage, "bucket"),
        ("file://", Code::ErrFailToCreateExternalStorage, "no folder"),
        (
            "s3://b/p?access-key=x",
            Code::ErrFailToCreateExternalStorage,
            "come together",
        ),
        (
            "s3://b/p?force-path-style=maybe",
            Code::ErrFailToCreateExternalStorage,
            "maybe",
        ),
        (
            ":",
            Code::ErrFailToCreateExternalStorage,
            "missing protocol scheme",
        ),
    ] {
        let error = Claims::open(uri, false).await.unwrap_err();
        assert_eq!(error.code(), code, "{uri}: {error}");
        assert!(error.message().contains(words), "{uri}: {error}");
    }
}

#[derive(Clone, Default)]
struct Bucket {
    files: Arc<Mutex<BTreeMap<String, Bytes>>>,
    /// Requests that are answered with 503 before it works.
    busy: Arc<Mutex<u32>>,
}

async fn answer(
    State(bucket): State<Bucket>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let header = |name: &str| {
        headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    };
    let signed = header("authorization");
    if !signed.starts_with("AWS4-HMAC-SHA256 Credential=me/")
        || !signed.contains("/eu-west-9/s3/aws4_request")
        || header("x-amz-security-token") != "guest"
    {
        return StatusCode::FORBIDDEN.into_response();
    }
    {
        let mut busy = bucket.busy.lock().unwrap();
        if *busy > 0 {
            *busy -= 1;
            return StatusCode::SERVICE_UNAVAILABLE.into_response();
        }
    }
    let mut files = bucket.files.lock().unwrap();
    match method {
        Method::PUT => {
            files.insert(uri.path().to_owned(), body);
            [("etag", "\"1\"")].into_response()
        }
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn s3() -> (Bucket, String) {
    let bucket = Bucket::default();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().fallback(answer).with_state(bucket.clone());
    tokio::spawn(async move { axum::serve(listener, router).await });
    (bucket, endpoint)
}

#[tokio::test]
async fn messages_are_put_into_a_bucket_of_s3() {
    let (bucket, endpoint) = s3().await;
    let uri = format!(
        "s3://claims/some/where/?endpoint={endpoint}&access-key=me&secret-access-key=secret&session-token=guest&\
         region=eu-west-9"
    );
    *bucket.busy.lock().unwrap() = 1;
    let claims = Claims::open(&uri, false).await.unwrap();
    let location = claims.store(b"value").await.unwrap();
    let name = location.strip_prefix("s3://claims/some/where/").unwrap();
    let files = bucket.files.lock().unwrap();
    let (path, content) = files.first_key_value().unwrap();
    assert_eq!(*path, format!("/claims/some/where/{name}"));
    assert_eq!(value_of(content), b"value");
}

#[tokio::test]
async fn a_bucket_that_refuses_is_told_without_secrets() {
    let (_, endpoint) = s3().await;
    let uri = format!("s3://claims/p?endpoint={endpoint}&access-key=you&secret-access-key=hidden");
    let error = Claims::open(&uri, false).await.unwrap_err();
    assert_eq!(error.code(), Code::ErrFailToCreateExternalStorage);
    assert!(error.message().contains("s3://claims/p: "), "{error}");
    assert!(!error.message().contains("hidden"), "{error}");
}
