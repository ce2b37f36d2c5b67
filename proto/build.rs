//! Compiles the `.proto` files with protox, so that no `protoc` is needed.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let files =
        ["cdcpb", "tikvpb", "pdpb", "etcdserverpb"].map(|name| format!("proto/{name}.proto"));
    let set = protox::compile(&files, ["proto"])?;
    // `bytes` fields become `Bytes`: keys and values are handed on without a copy.
    tonic_prost_build::configure().bytes(".").compile_fds(set)?;
    println!("cargo:rerun-if-changed=proto");
    Ok(())
}
