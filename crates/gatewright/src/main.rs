//! The `gatewright` command.

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    // Several TLS providers may be linked in; this one is used, everywhere.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    gatewright::cli::main()
}
