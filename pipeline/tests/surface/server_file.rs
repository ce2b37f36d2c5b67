//! `cdc server --config`.

use std::process::Command;

/// What the server says of a file, when it does not start.
fn refused(text: &str, args: &[&str]) -> String {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("server.toml");
    std::fs::write(&path, text).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_cdc"))
        .arg("server")
        .arg(format!("--config={}", path.display()))
        .args(args)
        .output()
        .unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{told}");
    told.replace(&path.display().to_string(), "FILE")
}

#[test]
fn a_servers_file_is_read_strictly() {
    let told = refused("no-such = 1\ngc-ttl = 5\n", &[]);
    let expected = "component TiCDC server's config file FILE contained unknown configuration options: no-such";
    assert!(told.contains(expected), "{told}");
    let told = refused("addr = ''\n", &[]);
    assert!(told.contains("empty address"), "{told}");
    // a flag goes before the file
    let told = refused("addr = ''\ngc-ttl = 0\n", &["--addr=127.0.0.1:1"]);
    assert!(told.contains("empty GC TTL is not allowed"), "{told}");
    let told = refused("tz = 'Nowhere/Land'\n", &[]);
    assert!(told.contains("can not load timezone"), "{told}");
}
