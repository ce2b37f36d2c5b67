//! Nothing: without it, build dependencies are not looked at.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
}
