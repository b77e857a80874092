//! A thin layer over `epoll`, level-triggered. Load generator and upstream share two cores with what is measured, so
//! they carry no runtime; the wait takes nanoseconds, because an open loop at thousands of requests per second cannot
//! be timed in milliseconds.

use std::{
    io,
    os::fd::{AsRawFd, FromRawFd, OwnedFd},
    time::Duration,
};

pub struct Epoll {
    fd: OwnedFd,
    ready: Vec<libc::epoll_event>,
}

/// What a descriptor is watched for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Interest {
    Read,
    ReadWrite,
}

impl Interest {
    fn bits(self) -> u32 {
        let bits = match self {
            Self::Read => libc::EPOLLIN,
            Self::ReadWrite => libc::EPOLLIN | libc::EPOLLOUT,
        };
        bits as u32
    }
}

impl Epoll {
    pub fn new() -> io::Result<Self> {
        // SAFETY: no pointers are passed; the result is checked before it is owned.
        let fd = check(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) })?;
        // SAFETY: the descriptor was just created and belongs to nobody else.
        let fd = unsafe { OwnedFd::from_raw_fd(fd) };
        Ok(Self { fd, ready: vec![libc::epoll_event { events: 0, u64: 0 }; 256] })
    }

    pub fn add(&self, fd: &impl AsRawFd, token: usize, interest: Interest) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_ADD, fd, token, interest)
    }

    pub fn change(&self, fd: &impl AsRawFd, token: usize, interest: Interest) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_MOD, fd, token, interest)
    }

    fn control(&self, action: i32, fd: &impl AsRawFd, token: usize, interest: Interest) -> io::Result<()> {
        let mut event = libc::epoll_event { events: interest.bits(), u64: token as u64 };
        // SAFETY: `event` lives through the call; both descriptors are borrowed from their owners.
        check(unsafe { libc::epoll_ctl(self.fd.as_raw_fd(), action, fd.as_raw_fd(), &raw mut event) })?;
        Ok(())
    }

    /// Waits until something is ready or the time is over, and appends the tokens of what is ready.
    pub fn wait(&mut self, timeout: Option<Duration>, tokens: &mut Vec<usize>) -> io::Result<()> {
        let limit = timeout.map(|time| libc::timespec {
            tv_sec: time.as_secs() as libc::time_t,
            tv_nsec: time.subsec_nanos() as libc::c_long,
        });
        let limit = limit.as_ref().map_or(std::ptr::null(), std::ptr::from_ref);
        // The C library of older systems has no wrapper for this call.
        // SAFETY: the kernel writes at most `ready.len()` events into `ready`; `limit` is null or outlives the call.
        let count = unsafe {
            libc::syscall(
                libc::SYS_epoll_pwait2,
                self.fd.as_raw_fd(),
                self.ready.as_mut_ptr(),
                self.ready.len() as libc::c_int,
                limit,
                std::ptr::null::<libc::sigset_t>(),
                0_usize,
            )
        };
        if count < 0 {
            let error = io::Error::last_os_error();
            return if error.kind() == io::ErrorKind::Interrupted { Ok(()) } else { Err(error) };
        }
        tokens.extend(self.ready[..count as usize].iter().map(|event| event.u64 as usize));
        Ok(())
    }
}

fn check(result: libc::c_int) -> io::Result<libc::c_int> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

/// Timers of this thread fire when they are due, not up to 50 µs later.
pub fn precise_timers() {
    // SAFETY: plain integers; failing leaves the default, which only makes timing coarser.
    unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, 1_usize) };
}
