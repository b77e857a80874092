//! A real OpenLDAP of one's own: a server on loopback with a few people in it, gone with the test.

use std::{
    fs,
    net::{TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use crate::Identity;

const SLAPD: &str = "/usr/sbin/slapd";
const SLAPADD: &str = "/usr/sbin/slapadd";
const SLAPMODIFY: &str = "/usr/sbin/slapmodify";

/// Everybody's password is their name and `-password`. The reader may search; nobody in particular may not.
const PEOPLE: &str = "\
dn: dc=example,dc=com
objectClass: domain

dn: cn=reader,dc=example,dc=com
objectClass: organizationalRole
objectClass: simpleSecurityObject
userPassword: reader-password

dn: ou=people,dc=example,dc=com
objectClass: organizationalUnit

dn: ou=groups,dc=example,dc=com
objectClass: organizationalUnit
";

/// A running server.
pub struct OpenLdap {
    server: Option<Child>,
    port: u16,
    tls_port: u16,
    directory: tempfile::TempDir,
}

impl OpenLdap {
    /// Makes a server with these people, each with the groups that they are in, and starts it. It shows a certificate
    /// where one is given.
    ///
    /// # Panics
    ///
    /// When it is not installed, or does not start.
    pub fn start(people: &[(&str, &[&str])], identity: Option<&Identity>) -> Self {
        let directory = tempfile::tempdir().expect("temporary folders can be made");
        let at = |name: &str| directory.path().join(name);
        fs::create_dir(at("data")).expect("a folder");
        let mut config = String::new();
        for schema in ["core", "cosine", "inetorgperson"] {
            config += &format!("include /etc/ldap/schema/{schema}.schema\n");
        }
        if let Some(identity) = identity {
            fs::write(at("server.pem"), &identity.certificate).expect("a file");
            fs::write(at("server.key"), &identity.key).expect("a file");
            config += &format!("TLSCertificateFile {}\n", at("server.pem").display());
            config += &format!("TLSCertificateKeyFile {}\n", at("server.key").display());
        }
        config += &format!(
            "modulepath /usr/lib/ldap\nmoduleload back_mdb\npidfile {}\ndatabase mdb\nmaxsize 10485760\n\
             suffix dc=example,dc=com\ndirectory {}\n\
             access to attrs=userPassword by anonymous auth by * none\n\
             access to * by dn.exact=cn=reader,dc=example,dc=com read by * none\n",
            at("pid").display(),
            at("data").display()
        );
        fs::write(at("slapd.conf"), config).expect("a file");
        fs::write(at("people.ldif"), entries(people)).expect("a file");
        let filled = Command::new(SLAPADD)
            .arg("-f")
            .arg(at("slapd.conf"))
            .arg("-l")
            .arg(at("people.ldif"))
            .output()
            .expect("OpenLDAP is installed: scripts/setup does it");
        assert!(filled.status.success(), "{filled:?}");
        let mut ldap = Self { server: None, port: free_port(), tls_port: free_port(), directory };
        ldap.resume();
        ldap
    }

    /// Starts the server again after `halt`.
    ///
    /// # Panics
    ///
    /// When it does not start.
    pub fn resume(&mut self) {
        let has_tls = self.directory.path().join("server.pem").exists();
        let mut urls = format!("ldap://127.0.0.1:{}/", self.port);
        if has_tls {
            urls += &format!(" ldaps://127.0.0.1:{}/", self.tls_port);
        }
        let server = server(&self.directory.path().join("slapd.conf"), &urls);
        self.server = Some(server);
        let began = Instant::now();
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(began.elapsed() < Duration::from_secs(30), "OpenLDAP starts");
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Ends the server at once.
    pub fn halt(&mut self) {
        if let Some(mut server) = self.server.take() {
            let _ = server.kill();
            let _ = server.wait();
        }
    }

    /// Changes what is in it, as LDIF says, while nobody is served.
    ///
    /// # Panics
    ///
    /// When that cannot be done.
    pub fn change(&mut self, ldif: &str) {
        self.halt();
        let at = |name: &str| self.directory.path().join(name);
        fs::write(at("change.ldif"), ldif).expect("a file");
        let changed = Command::new(SLAPMODIFY)
            .arg("-f")
            .arg(at("slapd.conf"))
            .arg("-l")
            .arg(at("change.ldif"))
            .output()
            .expect("OpenLDAP is installed: scripts/setup does it");
        assert!(changed.status.success(), "{changed:?}");
        self.resume();
    }

    /// Where clients connect; with TLS only when they ask for it.
    pub fn url(&self) -> String {
        format!("ldap://localhost:{}", self.port)
    }

    /// Where clients connect over TLS.
    pub fn tls_url(&self) -> String {
        format!("ldaps://localhost:{}", self.tls_port)
    }
}

impl Drop for OpenLdap {
    fn drop(&mut self) {
        self.halt();
    }
}

/// The server, which ends with the test.
fn server(config: &Path, urls: &str) -> Child {
    Command::new("setpriv")
        .args(["--pdeathsig=KILL", SLAPD, "-d", "0", "-h", urls, "-f"])
        .arg(config)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("slapd is there")
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}

fn entries(people: &[(&str, &[&str])]) -> String {
    let mut text = PEOPLE.to_owned();
    for (name, _) in people {
        text += &format!(
            "\ndn: uid={name},ou=people,dc=example,dc=com\nobjectClass: inetOrgPerson\nuid: {name}\ncn: {name}\nsn: {name}\n\
             userPassword: {name}-password\n"
        );
    }
    let mut groups: Vec<&str> = people.iter().flat_map(|(_, groups)| groups.iter().copied()).collect();
    groups.sort_unstable();
    groups.dedup();
    for group in groups {
        text += &format!(
            "\ndn: cn={group},ou=groups,dc=example,dc=com\nobjectClass: groupOfNames\ncn: {group}\n"
        );
        for (name, _) in people.iter().filter(|(_, groups)| groups.contains(&group)) {
            text += &format!("member: uid={name},ou=people,dc=example,dc=com\n");
        }
    }
    text
}
