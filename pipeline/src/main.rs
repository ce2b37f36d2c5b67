//! The `cdc` program: a server, and the command line that speaks to servers.

fn main() -> std::process::ExitCode {
    pipeline::cli::main()
}
