//! The `gatewright` command.

use std::alloc::{GlobalAlloc, Layout};

use mimalloc::MiMalloc;

#[global_allocator]
static ALLOCATOR: Allocator = Allocator;

/// mimalloc, asked for alignment only where it has to be asked: every block is aligned to eight bytes anyway, and its
/// way for larger alignments costs several times as much for blocks above a kilobyte.
struct Allocator;

const ALWAYS_ALIGNED: usize = 8;

// SAFETY: every block comes from mimalloc and goes back to it; `mi_free` takes blocks of either kind.
unsafe impl GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if layout.align() <= ALWAYS_ALIGNED && layout.size() >= ALWAYS_ALIGNED {
            // SAFETY: any size may be asked for.
            unsafe { libmimalloc_sys::mi_malloc(layout.size()).cast() }
        } else {
            // SAFETY: the caller's promise is passed on.
            unsafe { MiMalloc.alloc(layout) }
        }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise is passed on.
        unsafe { MiMalloc.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        if layout.align() <= ALWAYS_ALIGNED && new_size >= ALWAYS_ALIGNED {
            // SAFETY: the block came from mimalloc, as above.
            unsafe { libmimalloc_sys::mi_realloc(pointer.cast(), new_size).cast() }
        } else {
            // SAFETY: the caller's promise is passed on.
            unsafe { MiMalloc.realloc(pointer, layout, new_size) }
        }
    }
}

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
