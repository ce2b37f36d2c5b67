use super::*;
use crate::config::{
    kafka::{Identity, KafkaOptions},
    replica::ReplicaConfig,
    uri::SinkUri,
};

const IDENTITY: Identity<'_> = Identity {
    capture: "",
    namespace: "default",
    changefeed: "x",
};

fn options(query: &str, file: KafkaConfig) -> Result<KafkaOptions, Coded> {
    let uri = SinkUri::parse(&format!(
        "kafka://127.0.0.1:9092/t?protocol=canal-json&{query}"
    ))
    .unwrap();
    let mut config = ReplicaConfig::defaults(crate::compat::Compat::V8_5);
    config.sink.kafka_config = Some(file);
    KafkaOptions::parse(&uri, &config, IDENTITY)
}

fn parse(query: &str) -> Result<Security, Coded> {
    options(query, KafkaConfig::default()).map(|options| options.security)
}

/// What is said after the codes and leads around it.
fn refused(query: &str) -> String {
    let options = options(query, KafkaConfig::default());
    let error = options
        .and_then(|options| options.check_client())
        .unwrap_err();
    let text = error.to_string();
    text.replace("[CDC:ErrKafkaInvalidConfig]kafka config invalid: ", "")
        .replace("[CDC:ErrKafkaNewProducer]new kafka producer: ", "")
}

#[test]
fn nothing_is_on_unless_it_is_asked_for() {
    for query in [
        "",
        "enable-tls=false",
        "insecure-skip-verify=true",
        "sasl-user=u&sasl-password=p",
        "sasl-mechanism=",
    ] {
        assert_eq!(parse(query).unwrap(), Security::default(), "{query}");
    }
}

#[test]
fn tls_is_on_with_three_files_or_when_it_is_said() {
    let files = Tls {
        ca: Some("/a".to_owned()),
        pair: Some(("/b".to_owned(), "/c".to_owned())),
        skip_verify: false,
    };
    for query in [
        "ca=/a&cert=/b&key=/c",
        "enable-tls=true&ca=/a&cert=/b&key=/c",
    ] {
        assert_eq!(parse(query).unwrap().tls.as_ref(), Some(&files), "{query}");
    }
    let skipping = parse("enable-tls=1&insecure-skip-verify=t").unwrap().tls;
    assert_eq!(
        skipping,
        Some(Tls {
            skip_verify: true,
            ..Tls::default()
        })
    );
    for query in ["ca=/a", "enable-tls=true&cert=/b&key=/c"] {
        assert_eq!(
            refused(query),
            "ca, cert and key files should all be supplied"
        );
    }
    assert!(refused("enable-tls=yes").contains("strconv.ParseBool"));
}

#[test]
fn the_uri_wins_over_the_file() {
    let file = KafkaConfig {
        sasl_mechanism: Some("plain".to_owned()),
        sasl_user: Some("of the file".to_owned()),
        sasl_password: Some("secret".to_owned()),
        enable_tls: Some(true),
        required_acks: Some(1),
        ..KafkaConfig::default()
    };
    let options = options("sasl-mechanism=Scram-Sha-512&sasl-user=of+the+uri", file).unwrap();
    let sasl = options.security.sasl.unwrap();
    assert_eq!(sasl.mechanism, Mechanism::ScramSha512);
    assert_eq!(sasl.user, "of the uri");
    assert_eq!(sasl.password.reveal(), "secret");
    assert_eq!(options.security.tls, Some(Tls::default()));
    assert_eq!(options.required_acks, 1);
}

#[test]
fn what_the_client_library_refuses() {
    let sasl = |rest: &str| refused(&format!("sasl-user=u&sasl-password=p&{rest}"));
    let invalid = |reason: &str| format!("kafka: invalid configuration ({reason})");
    for (query, reason) in [
        (
            "sasl-mechanism=plain",
            "Net.SASL.User must not be empty when SASL is enabled",
        ),
        (
            "sasl-mechanism=scram-sha-256&sasl-user=u",
            "Net.SASL.Password must not be empty when SASL is enabled",
        ),
        ("dial-timeout=0s", "Net.DialTimeout must be > 0"),
        ("read-timeout=-1s", "Net.ReadTimeout must be > 0"),
        ("write-timeout=0", "Net.WriteTimeout must be > 0"),
        (
            "compression=ZSTD&kafka-version=2.0.1",
            "zstd compression requires Version >= V2_1_0_0",
        ),
        (
            "compression=lz4&kafka-version=0.9.0.1",
            "lz4 compression requires Version >= V0_10_0_0",
        ),
    ] {
        assert_eq!(refused(query), invalid(reason), "{query}");
    }
    assert_eq!(
        sasl("sasl-mechanism=gssapi"),
        invalid("Net.SASL.GSSAPI.ServiceName must not be empty when GSS-API mechanism is used")
    );
    for (query, name) in [
        (
            "sasl-mechanism=gssapi&sasl-gssapi-service-name=kafka",
            "GSSAPI",
        ),
        ("sasl-mechanism=oauthbearer", "OAUTHBEARER"),
    ] {
        assert_eq!(
            sasl(query),
            format!(
                "[CDC:ErrUnsupportedByPipeline]SASL ({name}) to Kafka (PLAIN, SCRAM-SHA-256 and SCRAM-SHA-512 are) is not \
                 supported by this pipeline"
            )
        );
    }
    assert_eq!(sasl("sasl-mechanism=nope"), "unknown nope SASL mechanism");
    let good = options(
        "sasl-mechanism=plain&sasl-user=u&sasl-password=p&compression=zstd",
        KafkaConfig::default(),
    );
    good.unwrap().check_client().unwrap();
}

#[test]
fn files_that_are_missing_or_something_else_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (ca, cert, key) = (path("ca.pem"), path("client.pem"), path("client-key.pem"));
    let query = format!("ca={ca}&cert={cert}&key={key}");
    let lead = "[CDC:ErrToTLSConfigFailed]generate tls config failed: ";
    assert_eq!(
        refused(&query),
        format!("{lead}could not load client key pair: open {cert}: no such file or directory")
    );
    fs::write(&cert, "-----BEGIN CERTIFICATE-----\n").unwrap();
    fs::write(&key, "-----BEGIN CERTIFICATE-----\n").unwrap();
    assert_eq!(
        refused(&query),
        format!("{lead}could not load client key pair: {key} holds no `PRIVATE KEY` in PEM form")
    );
    fs::write(&key, "-----BEGIN PRIVATE KEY-----\n").unwrap();
    assert_eq!(
        refused(&query),
        format!("{lead}could not read ca certificate: open {ca}: no such file or directory")
    );
    fs::create_dir(&ca).unwrap();
    assert_eq!(
        refused(&query),
        format!("{lead}could not read ca certificate: read {ca}: is a directory")
    );
}

#[test]
fn v4_0_9_has_tls_with_an_authority_alone() {
    let security = Security::legacy(Some("/a"), Some("/b"), None);
    assert_eq!(
        security.tls,
        Some(Tls {
            ca: Some("/a".to_owned()),
            ..Tls::default()
        })
    );
    assert_eq!(
        Security::legacy(None, Some("/b"), Some("/c")),
        Security::default()
    );
}

proptest::proptest! {
    /// Whatever is asked for: refused with a code, or on as it was said, and the password shown nowhere.
    #[test]
    fn options_never_panic_and_passwords_stay_hidden(
        mechanism in "|plain|PLAIN|scram-sha-(256|512|1)|gssapi|oauthbearer|[a-z-]{0,8}",
        tls in "|true|false|0|x",
        files in proptest::collection::vec(proptest::bool::ANY, 3),
        password in "[A-Z]{5,9}",
    ) {
        let mut query = format!("sasl-mechanism={mechanism}&sasl-user=u&sasl-password={password}&enable-tls={tls}");
        for (name, given) in ["ca", "cert", "key"].into_iter().zip(&files) {
            if *given {
                query += &format!("&{name}=/nowhere/{name}");
            }
        }
        match options(&query, KafkaConfig::default()) {
            Err(error) => {
                proptest::prop_assert_eq!(error.code(), Code::ErrKafkaInvalidConfig);
                proptest::prop_assert!(!error.to_string().contains(&password));
            }
            Ok(options) => {
                let shown = format!("{options:?}");
                proptest::prop_assert!(!shown.contains(&password));
                let security = &options.security;
                proptest::prop_assert_eq!(security.sasl.is_some(), !mechanism.is_empty());
                let all = files.iter().all(|given| *given);
                proptest::prop_assert_eq!(security.tls.is_some(), all || tls == "true");
                if let Err(error) = options.check_client() {
                    proptest::prop_assert!(!error.to_string().contains(&password));
                }
            }
        }
    }
}
