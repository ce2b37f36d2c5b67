//! TLS on the embedded TiDB's port: the handshake, what is told of it, and what accounts and the server require.

// The lint knows tests, not their helpers.
#![allow(clippy::unwrap_used)]

mod cluster;

use std::process::Command;
use std::sync::Arc;

use cluster::secured::Certificates;
use cluster::sql::{log_in, refused, run};
use cluster::{Cluster, Part, parts};
use embedded::tidb::wire::handshake::{Greeting, Login};
use embedded::tidb::wire::{ErrPacket, capability};
use mysql_async::prelude::Queryable;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt, BufStream};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, version};

async fn packet(stream: &mut (impl AsyncRead + Unpin)) -> (u8, Vec<u8>) {
    let mut header = [0; 4];
    stream.read_exact(&mut header).await.unwrap();
    let len = u32::from_le_bytes([header[0], header[1], header[2], 0]);
    let mut payload = vec![0; len as usize];
    stream.read_exact(&mut payload).await.unwrap();
    (header[3], payload)
}

fn framed(number: u8, payload: &[u8]) -> Vec<u8> {
    let len = (payload.len() as u32).to_le_bytes();
    [&[len[0], len[1], len[2], number], payload].concat()
}

/// A client of our own up to its request for TLS, which is not sent yet: it goes with the beginning of the handshake.
async fn asking(cluster: &Cluster) -> (BufStream<TcpStream>, Login) {
    let stream = TcpStream::connect(("127.0.0.1", cluster.tidb_port())).await;
    let mut stream = BufStream::new(stream.unwrap());
    let (_, greeting) = packet(&mut stream).await;
    let offered = Greeting::parse(&greeting).unwrap().capabilities;
    let login = Login {
        capabilities: capability::OFFERED | (offered & capability::SSL),
        collation: 46,
        user: "root".to_owned(),
        ..Login::default()
    };
    let mut asked = login.clone();
    asked.capabilities |= capability::SSL;
    stream
        .write_all(&framed(1, &asked.tls_request()))
        .await
        .unwrap();
    (stream, login)
}

fn trusting(files: &Certificates) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    let pem = std::fs::read(files.file("ca.pem")).unwrap();
    roots
        .add(CertificateDer::from_pem_slice(&pem).unwrap())
        .unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&version::TLS13])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    Arc::new(config)
}

/// What the server answers to this login under TLS.
async fn secured(
    cluster: &Cluster,
    files: &Certificates,
) -> (TlsStream<BufStream<TcpStream>>, Login) {
    let (stream, login) = asking(cluster).await;
    let name = ServerName::try_from("localhost").unwrap();
    let connector = TlsConnector::from(trusting(files));
    (connector.connect(name, stream).await.unwrap(), login)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handshake_may_come_with_the_request_for_it() {
    let files = Certificates::new();
    let mut cluster = Cluster::start_with("v8.5.3", files.arguments()).await;
    let (mut stream, login) = secured(&cluster, &files).await;
    assert_ne!(login.capabilities & capability::SSL, 0);
    stream.write_all(&framed(2, &login.encode())).await.unwrap();
    stream.flush().await.unwrap();
    let (number, ok) = packet(&mut stream).await;
    assert_eq!((number, ok[0]), (3, 0));
    // A login that cannot be read is answered under TLS too.
    let (mut stream, login) = secured(&cluster, &files).await;
    let torn = &login.encode()[..34];
    stream.write_all(&framed(2, torn)).await.unwrap();
    stream.flush().await.unwrap();
    let (_, refusal) = packet(&mut stream).await;
    assert_eq!(ErrPacket::parse(&refusal).unwrap().code, 1043);
    // What was asked for in the clear is nobody's login: the rest of it would be the handshake.
    let (mut stream, login) = asking(&cluster).await;
    stream.write_all(&framed(2, &login.encode())).await.unwrap();
    stream.flush().await.unwrap();
    let mut rest = Vec::new();
    let read = stream.read_to_end(&mut rest).await;
    // TLS's own words for that.
    const ALERT: u8 = 21;
    let refused = rest.first().is_none_or(|first| *first == ALERT);
    assert!(read.is_err() || refused, "{rest:?}");
    // One that leaves in the middle of it bothers nobody.
    drop(asking(&cluster).await);
    cluster.sql().await.disconnect().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_certificates_there_is_no_tls() {
    let mut cluster = Cluster::start("v8.5.3").await;
    let mut sql = cluster.sql().await;
    let told: Vec<(String, String)> = sql
        .query("SHOW VARIABLES WHERE Variable_name REGEXP '^(have_.*ssl|ssl_(ca|cert|key)|require_secure_transport)$'")
        .await
        .unwrap();
    let pairs: Vec<(&str, &str)> = told.iter().map(|(n, v)| (&**n, &**v)).collect();
    let expected = [
        ("have_openssl", "DISABLED"),
        ("have_ssl", "DISABLED"),
        ("require_secure_transport", "OFF"),
        ("ssl_ca", ""),
        ("ssl_cert", ""),
        ("ssl_key", ""),
    ];
    assert_eq!(pairs, expected);
    let code = refused(&mut sql, "SET GLOBAL require_secure_transport = ON").await;
    assert_eq!(code, 1105);
    // A client that needs it says so itself: the greeting does not offer it. One that asks all the same has sent no login.
    let (mut stream, login) = asking(&cluster).await;
    assert_eq!(login.capabilities & capability::SSL, 0);
    stream.flush().await.unwrap();
    let (_, refusal) = packet(&mut stream).await;
    assert_eq!(ErrPacket::parse(&refusal).unwrap().code, 1043);
    let mut by_name = parts::mysql();
    by_name.args(["--protocol=tcp", "--host=127.0.0.1", "-uroot", "--ssl"]);
    by_name.args(["--ssl-verify-server-cert", "-e", "select 1"]);
    by_name.arg(format!("--port={}", cluster.tidb_port()));
    assert!(!by_name.output().unwrap().status.success());
    // Accounts may require it all the same; nobody comes in by them.
    run(&mut sql, &["CREATE USER u REQUIRE SSL"]).await;
    assert_eq!(log_in(&cluster, "u", None).await.err().unwrap().0, 1045);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_accounts_and_the_server_require_is_kept_and_enforced() {
    let files = Certificates::new();
    let mut cluster = Cluster::start_with("v8.5.3", files.arguments()).await;
    // Clients in the clear are served beside.
    let mut sql = cluster.sql().await;
    let value = |name: &str| format!("SELECT @@{name}");
    for (name, expected) in [
        ("ssl_cert", files.path("server.pem")),
        ("ssl_key", files.path("server-key.pem")),
        ("ssl_ca", files.path("ca.pem")),
        ("have_ssl", "0".to_owned()),
        ("require_secure_transport", "0".to_owned()),
    ] {
        let found: Option<String> = sql.query_first(value(name)).await.unwrap();
        assert_eq!(found, Some(expected), "{name}");
    }
    let status: Vec<(String, String)> = sql
        .query("SHOW STATUS WHERE Variable_name REGEXP '^ssl_(cipher|version|server_not.*)$'")
        .await
        .unwrap();
    let pairs: Vec<(&str, &str)> = status.iter().map(|(n, v)| (&**n, &**v)).collect();
    let expected = [
        ("Ssl_cipher", ""),
        ("Ssl_server_not_after", "Nov 12 00:00:00 2120 UTC"),
        ("Ssl_server_not_before", "Feb  3 00:00:00 2020 UTC"),
        ("Ssl_version", ""),
    ];
    assert_eq!(pairs, expected);
    let have: Option<(String, String)> = sql
        .query_first("SHOW VARIABLES LIKE 'have_ssl'")
        .await
        .unwrap();
    assert_eq!(have.unwrap().1, "YES");

    let ca = format!("--ssl-ca={}", files.path("ca.pem"));
    let cert = format!("--ssl-cert={}", files.path("client.pem"));
    let key = format!("--ssl-key={}", files.path("client-key.pem"));
    let clear = ["-uu", "-px", "--skip-ssl"];
    let tls = ["-uu", "-px", "--ssl", &ca, "--ssl-verify-server-cert"];
    let certified = ["-uu", "-px", &ca, &cert, &key];
    let whose =
        |arguments: &[&str]| cluster.mysql(&[&["-N"], arguments].concat(), "select current_user()");
    let let_in = Ok("u@%\n".to_owned());
    let shut_out = |arguments: &[&str]| {
        let said = whose(arguments).unwrap_err();
        let denied =
            "ERROR 1045 (28000): Access denied for user 'u'@'127.0.0.1' (using password: YES)";
        assert!(said.contains(denied), "{said}");
    };

    run(
        &mut sql,
        &["CREATE USER u IDENTIFIED BY 'x', plain REQUIRE SSL"],
    )
    .await;
    shut_out(&clear);
    assert_eq!(whose(&tls), let_in);
    let told = cluster.mysql(&tls, "status").unwrap();
    assert!(told.contains("Cipher in use is TLS_"), "{told}");
    assert_eq!(log_in(&cluster, "plain", None).await.err().unwrap().0, 1045);
    // An account that is there stays as it is.
    run(&mut sql, &["CREATE USER IF NOT EXISTS u REQUIRE X509"]).await;
    assert_eq!(whose(&tls), let_in);
    let shown: Option<String> = sql.query_first("SHOW CREATE USER plain").await.unwrap();
    assert_eq!(
        shown.unwrap(),
        "CREATE USER 'plain'@'%' IDENTIFIED WITH 'mysql_native_password' AS '' REQUIRE SSL PASSWORD EXPIRE DEFAULT ACCOUNT \
         UNLOCK PASSWORD HISTORY DEFAULT PASSWORD REUSE INTERVAL DEFAULT"
    );
    assert_eq!(refused(&mut sql, "SHOW CREATE USER nobody").await, 1396);
    let others = cluster.mysql(&tls, "show create user plain").unwrap_err();
    assert!(others.contains("ERROR 1142 (42000)"), "{others}");
    let own = cluster
        .mysql(&tls, "show create user current_user()")
        .unwrap();
    assert!(own.contains("REQUIRE SSL"), "{own}");

    run(&mut sql, &["ALTER USER u REQUIRE X509"]).await;
    shut_out(&tls);
    assert_eq!(whose(&certified), let_in);
    // MariaDB changes what else it keeps of an account; a new name takes the requirement along.
    run(
        &mut sql,
        &["SET PASSWORD FOR u = 'x'", "GRANT SELECT ON test.* TO u"],
    )
    .await;
    run(&mut sql, &["RENAME USER u TO v", "RENAME USER v TO u"]).await;
    shut_out(&tls);
    assert!(cluster.stop(Part::Tidb).success());
    cluster.spawn(Part::Tidb);
    let mut sql = cluster.sql().await;
    let whose =
        |arguments: &[&str]| cluster.mysql(&[&["-N"], arguments].concat(), "select current_user()");
    assert!(whose(&tls).is_err());
    assert_eq!(whose(&certified), let_in);
    // A certificate that the authority does not vouch for is none.
    let foreign = format!("--ssl-cert={}", files.path("other-ca.pem"));
    let its_key = format!("--ssl-key={}", files.path("other-ca-key.pem"));
    assert!(whose(&["-uroot", &ca, &foreign, &its_key]).is_err());
    // As in TiDB a change of anything else takes the requirement back.
    run(
        &mut sql,
        &[
            "ALTER USER u IDENTIFIED BY 'x'",
            "DROP USER plain",
            "CREATE USER plain",
        ],
    )
    .await;
    assert_eq!(whose(&clear), let_in);
    log_in(&cluster, "plain", None).await.unwrap();

    let on = "set global require_secure_transport = on";
    let root = ["-uroot", "--ssl", &ca];
    assert_eq!(refused(&mut sql, on).await, 1105);
    cluster.mysql(&root, on).unwrap();
    let (code, said) = log_in(&cluster, "plain", None).await.err().unwrap();
    assert_eq!(code, 3159);
    assert_eq!(
        said,
        "Connections using insecure transport are prohibited while --require_secure_transport=ON."
    );
    assert_eq!(whose(&tls), let_in);
    // A server that starts so has its clients show certificates as well.
    assert!(cluster.stop(Part::Tidb).success());
    cluster.spawn(Part::Tidb);
    let root_certified = ["-uroot", &ca, &cert, &key];
    cluster::until("a client with a certificate", || async {
        cluster.mysql(&root_certified, "select 1")
    })
    .await;
    assert!(cluster.mysql(&root, "select 1").is_err());
    let off = "set global require_secure_transport = off";
    cluster.mysql(&root_certified, off).unwrap();
    log_in(&cluster, "plain", None).await.unwrap();
    cluster.verify().await;
}

/// The one line that a server says which does not start with these arguments.
fn refusal(arguments: &[String]) -> String {
    let dir = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_embedded"))
        .args(["tidb", "--data-dir"])
        .arg(dir.path())
        .arg("--mariadb-dir")
        .arg(dir.path())
        .args(arguments)
        .output()
        .unwrap();
    assert!(!output.status.success());
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn files_that_cannot_be_used_are_named() {
    let files = Certificates::new();
    let option = |name: &str, file: &str| format!("--{name}={}", files.path(file));
    let of = |cert, key| vec![option("ssl-cert", cert), option("ssl-key", key)];
    std::fs::write(files.file("text.pem"), "no PEM").unwrap();
    let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    std::fs::write(files.file("broken.pem"), broken).unwrap();
    let with_ca = [
        of("server.pem", "server-key.pem"),
        vec![option("ssl-ca", "client-key.pem")],
    ]
    .concat();
    for (arguments, parts) in [
        (
            of("missing.pem", "server-key.pem"),
            ["--ssl-cert", "missing.pem: No such file"],
        ),
        (
            of("server.pem", "missing.pem"),
            ["--ssl-key", "missing.pem: No such file"],
        ),
        (
            of("text.pem", "server-key.pem"),
            [
                "text.pem: no certificate found",
                "expected certificates in PEM",
            ],
        ),
        (
            of("broken.pem", "server-key.pem"),
            [
                "broken.pem: the first certificate is none",
                "expected certificates",
            ],
        ),
        (
            of("server.pem", "server.pem"),
            ["--ssl-key", "no private key found, expected a private key"],
        ),
        (
            of("server.pem", "client-key.pem"),
            ["client-key.pem with --ssl-cert", "the key is not the one"],
        ),
        (
            with_ca,
            ["--ssl-ca", "client-key.pem: no certificate found"],
        ),
        (
            vec![option("ssl-cert", "server.pem")],
            ["required arguments", "--ssl-key <FILE>"],
        ),
    ] {
        let said = refusal(&arguments);
        for part in parts {
            assert!(said.contains(part), "{arguments:?}: {said}");
        }
    }
}
