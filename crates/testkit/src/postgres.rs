//! A real PostgreSQL of one's own: made empty for a test, reached through a socket in a temporary folder, gone with it.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// A running server with one empty database.
pub struct Postgres {
    server: Option<Child>,
    programs: PathBuf,
    directory: tempfile::TempDir,
}

impl Postgres {
    /// Makes a server and starts it.
    pub fn start() -> Self {
        let programs = programs().expect("PostgreSQL is installed: scripts/setup does it");
        let directory = tempfile::tempdir().expect("temporary folders can be made");
        if is_root() {
            // It refuses to run as root, and may not enter a folder that is root's alone.
            fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o777))
                .expect("the folder is ours");
        }
        let data = directory.path().join("data");
        let made = command(&programs.join("initdb"))
            .args(["--username=postgres", "--auth=trust", "--no-sync", "--encoding=UTF8", "--locale=C", "-D"])
            .arg(&data)
            .stdout(Stdio::null())
            .status()
            .expect("initdb is there");
        assert!(made.success(), "initdb makes a database");
        let mut postgres = Self { server: None, programs, directory };
        postgres.resume();
        postgres
    }

    /// Starts the server again after `halt`.
    pub fn resume(&mut self) {
        let server = command(&self.programs.join("postgres"))
            .arg("-D")
            .arg(self.directory.path().join("data"))
            .arg("-k")
            .arg(self.directory.path())
            .args(["-c", "listen_addresses=", "-c", "fsync=off", "-c", "max_connections=60"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("postgres is there");
        self.server = Some(server);
        let began = Instant::now();
        while !self.is_ready() {
            assert!(began.elapsed() < Duration::from_secs(60), "PostgreSQL starts");
            thread::sleep(Duration::from_millis(20));
        }
    }

    fn is_ready(&self) -> bool {
        let asked = Command::new(self.programs.join("pg_isready"))
            .arg("-q")
            .arg("-h")
            .arg(self.directory.path())
            .status();
        asked.is_ok_and(|status| status.success())
    }

    /// Ends the server at once, as a crash would.
    pub fn halt(&mut self) {
        if let Some(mut server) = self.server.take() {
            // QUIT ends its processes as well; KILL would leave them behind.
            let _ = Command::new("kill").arg("-QUIT").arg(server.id().to_string()).status();
            let _ = server.wait();
        }
    }

    /// Where clients connect.
    pub fn url(&self) -> String {
        let socket = self.directory.path().display().to_string().replace('/', "%2F");
        format!("postgres://postgres@{socket}/postgres")
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.halt();
    }
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0)
}

/// A program of the server, as a user that it agrees to run as, and that ends with the test.
fn command(program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    if is_root() {
        command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]);
    }
    command.arg("--pdeathsig=QUIT").arg(program);
    command
}

/// The newest version that is installed; Debian keeps them out of the path.
fn programs() -> Option<PathBuf> {
    let mut versions: Vec<(u32, PathBuf)> = fs::read_dir("/usr/lib/postgresql")
        .ok()?
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            Some((path.file_name()?.to_str()?.parse().ok()?, path.join("bin")))
        })
        .filter(|(_, programs)| programs.join("postgres").exists())
        .collect();
    versions.sort();
    versions.pop().map(|(_, programs)| programs)
}
