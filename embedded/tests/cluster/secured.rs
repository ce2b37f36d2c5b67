//! Certificates for a cluster under TLS, made anew each time.

use std::path::PathBuf;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, date_time_ymd,
};

/// An authority, a server and a client that it vouches for, and an authority that vouches for neither.
pub struct Certificates {
    dir: tempfile::TempDir,
}

impl Certificates {
    pub fn new() -> Self {
        let made = Self {
            dir: tempfile::tempdir().unwrap(),
        };
        let authority = made.authority("ca");
        made.authority("other-ca");
        let mut server =
            CertificateParams::new(["127.0.0.1", "localhost"].map(String::from)).unwrap();
        server.not_before = date_time_ymd(2020, 2, 3);
        server.not_after = date_time_ymd(2120, 11, 12);
        server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let mut client = CertificateParams::default();
        client.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        for (name, mut params) in [("server", server), ("client", client)] {
            params.distinguished_name.push(DnType::CommonName, name);
            let key = KeyPair::generate().unwrap();
            let certificate = params.signed_by(&key, &authority).unwrap();
            made.write(name, &certificate.pem(), &key.serialize_pem());
        }
        made
    }

    fn authority(&self, name: &str) -> CertifiedIssuer<'static, KeyPair> {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        let pem = key.serialize_pem();
        let made = CertifiedIssuer::self_signed(params, key).unwrap();
        self.write(name, &made.pem(), &pem);
        made
    }

    fn write(&self, name: &str, certificate: &str, key: &str) {
        std::fs::write(self.file(&format!("{name}.pem")), certificate).unwrap();
        std::fs::write(self.file(&format!("{name}-key.pem")), key).unwrap();
    }

    /// `ca.pem`, `server.pem`, `server-key.pem` and so on.
    pub fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The same as text.
    pub fn path(&self, name: &str) -> String {
        self.file(name).to_str().unwrap().to_owned()
    }

    /// Arguments of a server that has them.
    pub fn arguments(&self) -> Vec<String> {
        let option = |option: &str, file| format!("--{option}={}", self.path(file));
        vec![
            option("ssl-cert", "server.pem"),
            option("ssl-key", "server-key.pem"),
            option("ssl-ca", "ca.pem"),
        ]
    }
}
