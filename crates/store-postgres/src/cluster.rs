//! A throw-away PostgreSQL cluster for tests: made in a temporary folder, ended with the process that made it.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};

/// The superuser that the cluster lets in from its socket without a password.
const SUPERUSER: &str = "axon_test";

/// A running server, reached by a socket in its folder and at a port of this machine.
#[derive(Debug)]
pub struct Cluster {
    folder: PathBuf,
    port: u16,
    programs: PathBuf,
    databases: AtomicU64,
    /// Stops the server when this process ends in whatever way: it waits for the end of its input.
    keeper: Child,
}

impl Cluster {
    /// Makes a cluster and starts it. The programs are those of `PATH` or of Debian's newest version.
    pub fn start() -> io::Result<Self> {
        let programs = programs()?;
        // Not TMPDIR: another user must reach it, and a socket's path is short.
        let folder = tempfile::Builder::new().prefix("axon-pg-").tempdir_in("/tmp")?.keep();
        if let Some(user) = other_user() {
            run(Command::new("chown").arg(user).arg(&folder))?;
        }
        let keeper = as_other("sh")
            .args([
                "-c",
                "cat >/dev/null; \"$2/pg_ctl\" -D \"$1/data\" -m immediate stop; rm -rf \"$1\"",
                "sh",
            ])
            .args([&folder, &programs])
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let cluster = Self { folder, port, programs, databases: AtomicU64::new(0), keeper };
        let data = cluster.data();
        run(as_other(cluster.programs.join("initdb"))
            .args([
                "--auth-local=trust",
                "--auth-host=scram-sha-256",
                "--encoding=UTF8",
                "--no-locale",
                "--no-sync",
            ])
            .args(["--username", SUPERUSER, "-D"])
            .arg(&data)
            .current_dir("/"))?;
        cluster.revive()?;
        Ok(cluster)
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// Ends the server as a power cut does.
    pub fn crash(&self) -> io::Result<()> {
        run(self.pg_ctl().args(["-m", "immediate", "stop"]))
    }

    /// Starts the server again.
    pub fn revive(&self) -> io::Result<()> {
        let options = format!(
            "-c unix_socket_directories={} -c listen_addresses=127.0.0.1 -c port={} -c max_connections=300",
            self.folder.display(),
            self.port
        );
        run(self
            .pg_ctl()
            .args(["-w", "-t", "60", "-o", &options, "-l"])
            .arg(self.folder.join("log"))
            .arg("start"))
    }

    fn pg_ctl(&self) -> Command {
        let mut command = as_other(self.programs.join("pg_ctl"));
        command.arg("-D").arg(self.data()).current_dir("/");
        command
    }

    /// Runs SQL in a database as the superuser.
    pub fn psql(&self, database: &str, sql: &str) -> io::Result<String> {
        let mut command = as_other(self.programs.join("psql"));
        command.args([
            "-X",
            "-q",
            "-A",
            "-t",
            "-v",
            "ON_ERROR_STOP=1",
            "-U",
            SUPERUSER,
            "-d",
            database,
            "-h",
        ]);
        let output = command
            .arg(&self.folder)
            .args(["-p", &self.port.to_string(), "-c", sql])
            .current_dir("/")
            .stdin(Stdio::null())
            .output()?;
        if output.status.success() {
            Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
        } else {
            Err(io::Error::other(String::from_utf8_lossy(&output.stderr).into_owned()))
        }
    }

    /// Makes a new database and gives its name.
    pub fn new_database(&self) -> io::Result<String> {
        let name = format!("test_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.psql("postgres", &format!("CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'"))?;
        Ok(name)
    }

    /// The address of a database by the socket.
    pub fn address(&self, database: &str) -> String {
        format!("postgres://{SUPERUSER}@localhost:{}/{database}?host={}", self.port, self.folder.display())
    }

    /// The port at which the server asks for a password.
    pub const fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        let _ = self.keeper.wait();
    }
}

/// The server refuses to run as root: then it runs as `postgres`, or else as `nobody`.
fn other_user() -> Option<&'static str> {
    let id = Command::new("id").arg("-u").output().ok()?;
    if id.stdout != b"0\n" {
        return None;
    }
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let has = |name: &str| users.lines().any(|line| line.split(':').next() == Some(name));
    Some(if has("postgres") { "postgres" } else { "nobody" })
}

fn as_other(program: impl AsRef<Path>) -> Command {
    match other_user() {
        None => Command::new(program.as_ref()),
        Some(user) => {
            let mut command = Command::new("runuser");
            command.args(["-u", user, "--"]).arg(program.as_ref());
            command
        }
    }
}

/// The folder of the server's programs.
fn programs() -> io::Result<PathBuf> {
    let in_path = std::env::var_os("PATH").unwrap_or_default();
    let whole =
        |folder: &PathBuf| ["initdb", "pg_ctl", "psql"].iter().all(|name| folder.join(name).is_file());
    if let Some(folder) = std::env::split_paths(&in_path).find(whole) {
        return Ok(folder);
    }
    let mut versions: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .map(|entries| entries.filter_map(|e| Some(e.ok()?.path().join("bin"))).filter(whole).collect())
        .unwrap_or_default();
    versions.sort();
    versions.pop().ok_or_else(|| io::Error::other("there is no PostgreSQL here: run tests/install.sh"))
}

fn run(command: &mut Command) -> io::Result<()> {
    let output = command.stdin(Stdio::null()).output()?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(io::Error::other(format!(
        "{}: {said}{}",
        command.get_program().display(),
        String::from_utf8_lossy(&output.stdout)
    )))
}
