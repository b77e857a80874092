//! The `gatewright` command.

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    // Several TLS providers may be linked in; this one is used, everywhere.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    gatewright::cli::main(Some(release_memory))
}

/// Gives the calling thread's unused memory back to the system.
fn release_memory() {
    // SAFETY: collecting is allowed at any time on any thread; it touches only memory that is not in use.
    unsafe { libmimalloc_sys::mi_collect(true) }
}
