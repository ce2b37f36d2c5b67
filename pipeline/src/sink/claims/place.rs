//! `claim-check-storage-uri`, read as TiCDC reads it.

use std::{fmt, fs, path::PathBuf};

use object_store::{
    ObjectStore, RetryConfig, aws::AmazonS3Builder, local::LocalFileSystem, path::Path,
};

use super::{client::Connector, not_created};
use crate::{
    coded::Coded,
    config::{kafka::unsupported, security::Secret, uri::SinkUri},
};

/// Parameters of S3 that change how objects are kept, or who writes them: refused rather than passed over.
const UNSUPPORTED: [&str; 7] = [
    "acl",
    "external-id",
    "profile",
    "role-arn",
    "sse",
    "sse-kms-key-id",
    "storage-class",
];

/// The region if none is given.
const DEFAULT_REGION: &str = "us-east-1";

/// Where files go.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// A folder.
    Local(PathBuf),
    /// S3, or what speaks its protocol.
    S3(Box<S3>),
}

#[derive(Debug, PartialEq, Eq, Default)]
pub(super) struct S3 {
    bucket: String,
    /// Without slashes at its ends.
    prefix: String,
    endpoint: Option<String>,
    region: Option<String>,
    /// Id, secret, and the session's token.
    credentials: Option<(String, Secret, Option<Secret>)>,
    virtual_hosted: bool,
}

/// Without parameters, for among them are secrets.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Local(folder) => write!(f, "file://{}", folder.display()),
            Place::S3(s3) if s3.prefix.is_empty() => write!(f, "s3://{}", s3.bucket),
            Place::S3(s3) => write!(f, "s3://{}/{}", s3.bucket, s3.prefix),
        }
    }
}

impl Place {
    /// Reads a storage URI.
    ///
    /// # Errors
    /// `ErrFailToCreateExternalStorage` for what is none; `ErrUnsupportedByPipeline` for storages, and parameters of
    /// S3, that TiCDC knows and this pipeline does not.
    pub(super) fn parse(text: &str) -> Result<Self, Coded> {
        let uri = SinkUri::parse(text).map_err(not_created)?;
        match uri.scheme() {
            "" | "file" | "local" if uri.path().is_empty() => Err(not_created(format_args!(
                "claim-check-storage-uri {uri} names no folder, expected file:///FOLDER"
            ))),
            "" | "file" | "local" => std::path::absolute(uri.path())
                .map(|folder| Place::Local(folder.components().collect()))
                .map_err(not_created),
            "s3" => S3::read(&uri).map(|s3| Place::S3(Box::new(s3))),
            known @ ("gcs" | "gs" | "azblob" | "azure" | "hdfs" | "ks3" | "oss" | "noop") => {
                Err(unsupported(format_args!(
                    "a claim-check storage of scheme '{known}' (file and s3 are)"
                )))
            }
            other => Err(not_created(format_args!(
                "storage {other} not support yet, expected file or s3"
            ))),
        }
    }

    /// A client of the storage.
    ///
    /// # Errors
    /// `ErrFailToCreateExternalStorage`.
    pub(super) fn open(&self) -> Result<Box<dyn ObjectStore>, Coded> {
        let failed = |reason: &dyn fmt::Display| not_created(format_args!("{self}: {reason}"));
        match self {
            Place::Local(folder) => {
                fs::create_dir_all(folder).map_err(|error| failed(&error))?;
                let store =
                    LocalFileSystem::new_with_prefix(folder).map_err(|error| failed(&error))?;
                // Before a message names a file, the file is to outlive the machine.
                Ok(Box::new(store.with_fsync(true)))
            }
            Place::S3(s3) => s3.open().map_err(|error| failed(&error)),
        }
    }

    /// A file's name in the storage.
    pub(super) fn file(&self, name: &str) -> Path {
        match self {
            Place::S3(s3) if !s3.prefix.is_empty() => {
                // As it is written in the URI: `Path::from` would escape what S3 allows.
                Path::parse(format!("{}/{name}", s3.prefix))
                    .unwrap_or_else(|_| Path::from_iter(s3.prefix.split('/').chain([name])))
            }
            _ => Path::from(name),
        }
    }

    /// A file's place as messages name it.
    pub(super) fn location(&self, name: &str) -> String {
        format!("{self}/{name}")
    }
}

impl S3 {
    fn read(uri: &SinkUri) -> Result<Self, Coded> {
        let param = |key: &str| {
            uri.param(key)
                .or_else(|| uri.param(&key.replace('-', "_")))
                .filter(|value| !value.is_empty())
                .map(str::to_owned)
        };
        if uri.host().is_empty() {
            return Err(not_created(format_args!(
                "please specify the bucket for s3 in {uri}"
            )));
        }
        if let Some(key) = UNSUPPORTED.into_iter().find(|key| param(key).is_some()) {
            return Err(unsupported(format_args!(
                "{key} in claim-check-storage-uri"
            )));
        }
        let path_style = match param("force-path-style").as_deref() {
            None | Some("true" | "1") => true,
            Some("false" | "0") => false,
            Some(other) => {
                return Err(not_created(format_args!(
                    "force-path-style is {other:?}, expected true or false"
                )));
            }
        };
        let credentials = match (param("access-key"), param("secret-access-key")) {
            (Some(id), Some(secret)) => {
                let token = param("session-token").map(Secret::new);
                Some((id, Secret::new(secret), token))
            }
            (None, None) => None,
            _ => {
                return Err(not_created(
                    "access-key and secret-access-key of claim-check-storage-uri come together",
                ));
            }
        };
        Ok(Self {
            bucket: uri.host().to_owned(),
            prefix: uri.path().trim_matches('/').to_owned(),
            endpoint: param("endpoint").map(|endpoint| endpoint.trim_end_matches('/').to_owned()),
            region: param("region"),
            credentials,
            virtual_hosted: !path_style,
        })
    }

    fn open(&self) -> object_store::Result<Box<dyn ObjectStore>> {
        // What the URI does not say, the environment does, as for the original.
        let mut builder = AmazonS3Builder::from_env()
            .with_bucket_name(&self.bucket)
            .with_virtual_hosted_style_request(self.virtual_hosted)
            .with_retry(RetryConfig {
                max_retries: 3,
                ..RetryConfig::default()
            })
            .with_http_connector(Connector);
        if let Some(endpoint) = &self.endpoint {
            builder = builder
                .with_endpoint(endpoint)
                .with_allow_http(endpoint.starts_with("http://"));
        }
        match &self.region {
            Some(region) => builder = builder.with_region(region),
            None if std::env::var_os("AWS_REGION").is_none()
                && std::env::var_os("AWS_DEFAULT_REGION").is_none() =>
            {
                builder = builder.with_region(DEFAULT_REGION);
            }
            None => {}
        }
        if let Some((id, secret, token)) = &self.credentials {
            builder = builder
                .with_access_key_id(id)
                .with_secret_access_key(secret.reveal());
            if let Some(token) = token {
                builder = builder.with_token(token.reveal());
            }
        }
        Ok(Box::new(builder.build()?))
    }
}
