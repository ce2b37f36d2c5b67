//! TLS towards clients: the files it is served with, and what is told of it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, pem};
use tokio_rustls::rustls::server::danger::ClientCertVerifier;
use tokio_rustls::rustls::server::{
    ClientCertVerifierBuilder, NoClientAuth, VerifierBuilderError, WebPkiClientVerifier,
};
use tokio_rustls::rustls::sign::{CertifiedKey, SingleCertAndKey};
use tokio_rustls::rustls::{self, RootCertStore, ServerConfig};

use super::validity::Validity;
use crate::tidb::Args;

/// Why TLS cannot be served. Messages read after "failed to".
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file could not be read.
    #[error("read --{option} {}: {source}", path.display())]
    Read {
        /// The option that names it.
        option: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file holds something else.
    #[error("read --{option} {}: {why}, expected {expected}", path.display())]
    Content {
        /// The option that names it.
        option: &'static str,
        /// The file.
        path: PathBuf,
        /// What was found.
        why: String,
        /// What belongs there.
        expected: &'static str,
    },
    /// Key and certificate do not belong together.
    #[error(
        "use --ssl-key {} with --ssl-cert {}: the key is not the one that the first certificate was made for",
        key.display(),
        cert.display()
    )]
    Mismatch {
        /// The certificate's file.
        cert: PathBuf,
        /// The key's file.
        key: PathBuf,
    },
    /// The library takes no such settings.
    #[error("set up TLS: {0}")]
    Setup(#[from] rustls::Error),
    /// The authority's certificates cannot be used.
    #[error("set up the check of clients' certificates: {0}")]
    Authority(#[from] VerifierBuilderError),
}

const CERT: &str = "ssl-cert";
const KEY: &str = "ssl-key";
const CA: &str = "ssl-ca";
const CERTIFICATES: &str = "certificates in PEM (-----BEGIN CERTIFICATE-----)";
const PRIVATE_KEY: &str = "a private key of RSA, ECDSA or Ed25519 in PEM, without a password (-----BEGIN PRIVATE KEY-----)";

/// The TLS that clients are offered.
#[derive(Debug)]
pub struct Tls {
    /// What handshakes are answered with.
    pub(super) config: Arc<ServerConfig>,
    /// The same where clients have to show a certificate; none without an authority.
    demanding: Option<Arc<ServerConfig>>,
    /// The names of the files, as they were given.
    pub(super) files: Files,
    /// When the certificate holds.
    pub(super) validity: Validity,
}

/// The files' names.
#[derive(Debug, Default)]
pub(super) struct Files {
    pub(super) cert: String,
    pub(super) key: String,
    pub(super) ca: String,
}

impl Tls {
    /// Reads the files that the arguments name; none if they name none.
    ///
    /// # Errors
    /// [`TlsError`]: a server that is to offer TLS does not go on without.
    pub fn load(args: &Args) -> Result<Option<Self>, TlsError> {
        let (Some(cert), Some(key)) = (&args.ssl_cert, &args.ssl_key) else {
            return Ok(None);
        };
        let provider = Arc::new(ring::default_provider());
        let chain = certificates(CERT, cert)?;
        let first = chain.first().map_or(&[][..], |first| first.as_ref());
        let validity = Validity::of(first).map_err(|why| TlsError::Content {
            option: CERT,
            path: cert.clone(),
            why: format!("the first certificate is none of X.509 ({why})"),
            expected: CERTIFICATES,
        })?;
        let signing = provider
            .key_provider
            .load_private_key(private_key(key)?)
            .map_err(|error| TlsError::Content {
                option: KEY,
                path: key.clone(),
                why: error.to_string(),
                expected: PRIVATE_KEY,
            })?;
        // A certificate holds its public key byte for byte. (One of the first version, which OpenSSL makes where it is asked
        // for no extensions, the library would not compare.)
        let public = signing.public_key();
        let fits = public.is_none_or(|public| {
            first
                .windows(public.len())
                .any(|part| part == public.as_ref())
        });
        if !fits {
            return Err(TlsError::Mismatch {
                cert: cert.clone(),
                key: key.clone(),
            });
        }
        let certified = CertifiedKey::new(chain, signing);
        let certified = Arc::new(SingleCertAndKey::from(certified));
        let server = |verifier: Arc<dyn ClientCertVerifier>| {
            let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
                .with_safe_default_protocol_versions()?
                .with_client_cert_verifier(verifier);
            Ok::<_, TlsError>(Arc::new(
                builder.with_cert_resolver(Arc::clone(&certified) as _),
            ))
        };
        let (config, demanding) = match &args.ssl_ca {
            None => (server(Arc::new(NoClientAuth))?, None),
            Some(ca) => {
                let authority = authority(ca, &provider)?;
                let lenient = authority.clone().allow_unauthenticated().build()?;
                (server(lenient)?, Some(server(authority.build()?)?))
            }
        };
        let text = |path: &Path| path.to_string_lossy().into_owned();
        let files = Files {
            cert: text(cert),
            key: text(key),
            ca: args.ssl_ca.as_deref().map(text).unwrap_or_default(),
        };
        Ok(Some(Self {
            config,
            demanding,
            files,
            validity,
        }))
    }

    /// As TiDB starts where `require_secure_transport` is ON already: with an authority, clients need a certificate of it.
    pub(crate) fn required(mut self) -> Self {
        if let Some(demanding) = self.demanding.take() {
            self.config = demanding;
        }
        self
    }
}

fn read(option: &'static str, path: &Path) -> Result<Vec<u8>, TlsError> {
    std::fs::read(path).map_err(|source| TlsError::Read {
        option,
        path: path.to_owned(),
        source,
    })
}

fn certificates(
    option: &'static str,
    path: &Path,
) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let text = read(option, path)?;
    let content = |why: String| TlsError::Content {
        option,
        path: path.to_owned(),
        why,
        expected: CERTIFICATES,
    };
    let found: Result<Vec<_>, pem::Error> = CertificateDer::pem_slice_iter(&text).collect();
    let found = found.map_err(|error| content(error.to_string()))?;
    match found.is_empty() {
        true => Err(content("no certificate found".to_owned())),
        false => Ok(found),
    }
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    let text = read(KEY, path)?;
    PrivateKeyDer::from_pem_slice(&text).map_err(|error| TlsError::Content {
        option: KEY,
        path: path.to_owned(),
        why: match error {
            pem::Error::NoItemsFound => "no private key found".to_owned(),
            other => other.to_string(),
        },
        expected: PRIVATE_KEY,
    })
}

/// Checks the certificates of clients.
fn authority(
    path: &Path,
    provider: &Arc<CryptoProvider>,
) -> Result<ClientCertVerifierBuilder, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(CA, path)? {
        roots.add(certificate).map_err(|error| TlsError::Content {
            option: CA,
            path: path.to_owned(),
            why: error.to_string(),
            expected: CERTIFICATES,
        })?;
    }
    Ok(WebPkiClientVerifier::builder_with_provider(
        Arc::new(roots),
        Arc::clone(provider),
    ))
}
