//! Compiles the `.proto` files with protox, so that no `protoc` is needed.

use prost::Message as _;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let files = ["cdcpb", "tikvpb", "pdpb", "etcdserverpb", "health"]
        .map(|name| format!("proto/{name}.proto"));
    let set = protox::compile(&files, ["proto"])?;
    let out = std::path::PathBuf::from(std::env::var("OUT_DIR")?);
    std::fs::write(out.join("descriptors.bin"), set.encode_to_vec())?;
    // `bytes` fields become `Bytes`: keys and values are handed on without a copy.
    tonic_prost_build::configure().bytes(".").compile_fds(set)?;
    println!("cargo:rerun-if-changed=proto");
    Ok(())
}
