//! A PostgreSQL cluster of the tests' own: made, started, killed and thrown away by themselves.
//!
//! A shell that holds a pipe from this process stops the cluster and removes its folder when the pipe ends, however this
//! process ends. PostgreSQL refuses to run as root, so root runs it as somebody else.

use std::fs::{self, File};
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};

const START: Duration = Duration::from_mins(1);
const LOOK_AGAIN: Duration = Duration::from_millis(20);
const SUPERUSER: &str = "axon";
/// Ends the cluster and removes its folder when standard input ends.
const WATCH: &str = r#"
trap "" INT TERM HUP
cat >/dev/null
pid=$(head -n 1 "$1/data/postmaster.pid" 2>/dev/null) && kill -QUIT "$pid" && while kill -0 "$pid" 2>/dev/null; do sleep 0.05; done
rm -rf "$1"
"#;

/// A cluster on a port of its own.
pub struct Postgres {
    programs: PathBuf,
    folder: PathBuf,
    port: u16,
    owner: Option<(u32, u32)>,
    server: Option<Child>,
    watch: Child,
    made: AtomicU32,
}

impl Postgres {
    /// Makes a cluster and starts it.
    pub fn start() -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("axon-postgres-").tempdir()?.keep();
        let watch = Command::new("sh")
            .args(["-c", WATCH, "watch"])
            .arg(&folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let owner = unprivileged()?;
        if let Some((uid, gid)) = owner {
            chown(&folder, Some(uid), Some(gid))?;
        }
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let mut made =
            Self { programs: programs()?, folder, port, owner, server: None, watch, made: AtomicU32::new(0) };
        let data = made.folder.join("data");
        let data = data.to_str().context("a path in UTF-8")?;
        made.run(
            "initdb",
            &["-D", data, "-U", SUPERUSER, "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"],
        )?;
        made.start_again()?;
        Ok(made)
    }

    /// The one that all tests of this process share.
    pub fn shared() -> anyhow::Result<&'static Self> {
        static SHARED: OnceLock<Postgres> = OnceLock::new();
        static MAKING: Mutex<()> = Mutex::new(());
        let _making = MAKING.lock().map_err(|_| anyhow::anyhow!("the cluster could not be made before"))?;
        if SHARED.get().is_none() {
            let _ = SHARED.set(Self::start()?);
        }
        SHARED.get().context("it was just set")
    }

    /// Makes an empty database; gives its address.
    pub fn database(&self) -> anyhow::Result<String> {
        let name = format!("axon_{}", self.made.fetch_add(1, Ordering::Relaxed));
        let port = self.port.to_string();
        self.run("createdb", &["-h", "127.0.0.1", "-p", &port, "-U", SUPERUSER, "-T", "template0", &name])?;
        Ok(format!("postgres://{SUPERUSER}@127.0.0.1:{port}/{name}"))
    }

    /// Runs one statement in the database of this address, as an administrator by hand; it must change this many rows.
    pub fn changes(&self, address: &str, statement: &str, rows: u32) -> anyhow::Result<()> {
        let how = ["-X", "-v", "ON_ERROR_STOP=1", "-c", statement, address];
        let output = self.command("psql").args(how).output().context("psql")?;
        let said = String::from_utf8_lossy(&output.stdout);
        ensure!(output.status.success(), "psql: {}", String::from_utf8_lossy(&output.stderr));
        ensure!(said.trim() == format!("UPDATE {rows}"), "{said}");
        Ok(())
    }

    /// All that the database of this address holds: each table with its rows.
    pub fn dump(&self, address: &str) -> anyhow::Result<Vec<u8>> {
        let output = self.command("pg_dump").arg(address).output().context("pg_dump")?;
        ensure!(output.status.success(), "pg_dump: {}", String::from_utf8_lossy(&output.stderr));
        Ok(output.stdout)
    }

    /// Kills it as a machine that loses its power would: no goodbye to anybody, what is committed is in its log.
    pub fn dies(&mut self) -> anyhow::Result<ExitStatus> {
        let mut server = self.server.take().context("it runs")?;
        let quit = Command::new("kill").args(["-QUIT", &server.id().to_string()]).status()?;
        ensure!(quit.success(), "it could not be killed");
        Ok(server.wait()?)
    }

    /// Starts it on what it has, and waits until it takes connections.
    pub fn start_again(&mut self) -> anyhow::Result<()> {
        let log = File::options().create(true).append(true).open(self.folder.join("server.log"))?;
        let mut command = self.command("postgres");
        command.arg("-D").arg(self.folder.join("data"));
        for setting in [
            &format!("port={}", self.port),
            "listen_addresses=127.0.0.1",
            "unix_socket_directories=",
            "max_connections=300",
            "shared_buffers=32MB",
            // The machine does not lose its power in these tests, and what the server wrote is in the system's hands.
            "fsync=off",
            "full_page_writes=off",
        ] {
            command.args(["-c", setting]);
        }
        self.server = Some(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn()?);
        let end = Instant::now() + START;
        let port = self.port.to_string();
        while self.run("pg_isready", &["-q", "-h", "127.0.0.1", "-p", &port]).is_err() {
            let ended = self.server.as_mut().context("it was started")?.try_wait()?;
            if ended.is_some() || Instant::now() > end {
                bail!("PostgreSQL does not start:\n{}", fs::read_to_string(self.folder.join("server.log"))?);
            }
            std::thread::sleep(LOOK_AGAIN);
        }
        Ok(())
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.programs.join(program));
        if let Some((uid, gid)) = self.owner {
            command.uid(uid).gid(gid);
        }
        command.current_dir(&self.folder).env_remove("PGDATA").env_remove("PGPORT");
        command
    }

    fn run(&self, program: &str, arguments: &[&str]) -> anyhow::Result<()> {
        let output = self.command(program).args(arguments).output().with_context(|| program.to_owned())?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{program} ended with {}: {said}", output.status);
        Ok(())
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        drop(self.watch.stdin.take());
        // The watch waits for the server's end, and the server for its parent to notice it.
        if let Some(mut server) = self.server.take() {
            let _ = server.wait();
        }
        let _ = self.watch.wait();
    }
}

/// Where `initdb` is: on the PATH, or where Debian puts it.
fn programs() -> anyhow::Result<PathBuf> {
    let on_path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::env::split_paths(&on_path).collect();
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    folders.extend(versions.map(|version| version.path().join("bin")));
    let found = folders.into_iter().find(|folder| folder.join("initdb").is_file());
    let found = found.context("PostgreSQL's `initdb` is not there: run `make test`, which installs it")?;
    // A link in /usr/local/bin points at the folder that has all of them.
    let real = fs::canonicalize(found.join("initdb"))?;
    Ok(real.parent().context("its folder")?.to_owned())
}

/// Who runs it where this process is root.
fn unprivileged() -> anyhow::Result<Option<(u32, u32)>> {
    if fs::metadata(Path::new("/proc/self"))?.uid() != 0 {
        return Ok(None);
    }
    let users = fs::read_to_string("/etc/passwd")?;
    let ids = |name: &str| {
        let line = users.lines().find(|line| line.split(':').next() == Some(name))?;
        let mut fields = line.split(':').skip(2).map(str::parse);
        Some((fields.next()?.ok()?, fields.next()?.ok()?))
    };
    Ok(Some(
        ids("postgres")
            .or_else(|| ids("nobody"))
            .context("neither `postgres` nor `nobody` is a user here")?,
    ))
}

#[test]
fn a_cluster_dies_comes_back_and_leaves_nothing() -> anyhow::Result<()> {
    let mut cluster = Postgres::start()?;
    let url = cluster.database()?;
    ensure!(cluster.database()? != url, "each test has a database of its own");
    cluster.dies()?;
    ensure!(cluster.database().is_err(), "it is dead");
    cluster.start_again()?;
    let folder = cluster.folder.clone();
    ensure!(folder.is_dir());
    drop(cluster);
    ensure!(!folder.exists(), "{} is left", folder.display());
    Ok(())
}
