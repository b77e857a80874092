//! Processes of the benchmark: started with their output in a file, found with all their children, ended by their
//! own process id, also when the benchmark itself dies.

use std::{
    fs::{self, File},
    io,
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use super::cpu;

pub struct Process {
    child: Child,
    log: PathBuf,
}

/// This program, for one of its hidden tasks. By this name it is found even after it was built anew.
pub fn own_task(task: &str) -> Command {
    let mut command = Command::new("/proc/self/exe");
    command.arg(task);
    end_with_us(&mut command);
    command
}

impl Process {
    /// Starts with both output streams going to `log`.
    pub fn start(mut command: Command, log: &Path) -> io::Result<Self> {
        let file = File::create(log)?;
        command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file);
        end_with_us(&mut command);
        Ok(Self { child: command.spawn()?, log: log.to_owned() })
    }

    /// Starts with its standard output for us to read.
    pub fn start_piped(mut command: Command) -> io::Result<(Self, ChildStdout)> {
        let mut child = command.stdout(Stdio::piped()).spawn()?;
        let out = child.stdout.take();
        let process = Self { child, log: PathBuf::new() };
        Ok((process, out.ok_or_else(|| io::Error::other("no standard output"))?))
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn tree(&self) -> Vec<u32> {
        cpu::tree(self.id())
    }

    pub fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// The last lines of its output.
    pub fn last_words(&self) -> String {
        let log = fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&log[log.len().saturating_sub(1_500)..]);
        text.trim()
            .lines()
            .rev()
            .take(4)
            .collect::<Vec<_>>()
            .into_iter()
            .rev()
            .collect::<Vec<_>>()
            .join("\n    ")
    }

    pub fn signal(&self, signal: libc::c_int) -> io::Result<()> {
        signal_to(self.id(), signal)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Of an ended child the id may belong to somebody else by now.
        if self.has_ended() {
            return;
        }
        let tree = self.tree();
        let _ = self.signal(libc::SIGTERM);
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(3) {
            if self.has_ended() {
                return;
            }
            thread::sleep(Duration::from_millis(10));
        }
        for pid in tree.into_iter().rev() {
            let _ = signal_to(pid, libc::SIGKILL);
        }
        let _ = self.child.wait();
    }
}

fn signal_to(pid: u32, signal: libc::c_int) -> io::Result<()> {
    let pid = libc::pid_t::try_from(pid).map_err(io::Error::other)?;
    // SAFETY: no memory is involved.
    if unsafe { libc::kill(pid, signal) } < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Has the kernel end the process when the benchmark is killed, so that nothing keeps a port or a core.
fn end_with_us(command: &mut Command) {
    let ask = || {
        // SAFETY: plain integers, and the call is safe between fork and exec.
        unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGTERM) };
        Ok(())
    };
    // SAFETY: the closure makes one system call and allocates nothing.
    unsafe { command.pre_exec(ask) };
}

/// Lets this process and those it starts open as many files as the system allows: 2,000 idle connections need them.
pub fn raise_file_limit() {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` outlives both calls. Failing leaves the limit, and the proxies say so when it is too low.
    unsafe {
        if libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) == 0 {
            limit.rlim_cur = limit.rlim_max;
            libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit);
        }
    }
}

/// Where a program is: a path as it is, a name looked up like the shell does, and where system daemons are kept.
pub fn find_program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin", "/usr/local/sbin"].map(PathBuf::from))
        .map(|directory| directory.join(name))
        .find(|file| file.is_file())
}
