//! The files of a folder: one `.sql` for people and one `.json` beside it, each written whole or not at all.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use axon_model::{PlanId, RunId};
use axon_reconcile::{ScriptEnd, ScriptFile, ScriptStep, TargetError};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use time::OffsetDateTime;

/// The largest file that is read.
const LARGEST: u64 = 256 * 1024 * 1024;
/// The most runs that a folder may hold: whoever keeps more moves old ones that ended away and exports the catalog.
const MOST: usize = 10_000;

/// How a file ended.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Ended {
    how: ScriptEnd,
    #[serde(with = "time::serde::rfc3339")]
    at: OffsetDateTime,
}

/// What stands beside a file of statements.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Beside {
    axon: u8,
    target: String,
    run: RunId,
    plan: PlanId,
    #[serde(with = "time::serde::rfc3339")]
    written: OffsetDateTime,
    file: String,
    sha256: String,
    steps: Vec<ScriptStep>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ended: Option<Ended>,
}

impl From<Beside> for ScriptFile {
    fn from(beside: Beside) -> Self {
        Self {
            run: beside.run,
            plan: beside.plan,
            at: beside.written,
            name: beside.file,
            digest: beside.sha256,
            steps: beside.steps,
        }
    }
}

/// A file that waits, as a person named it.
#[derive(Debug, Clone)]
pub struct OpenScript {
    /// The file.
    pub file: ScriptFile,
    /// Whether its text is still what was written; not, if somebody edited it.
    pub unchanged: bool,
}

/// Why no file is meant.
#[derive(Debug, thiserror::Error)]
pub enum NotFound {
    /// None, or several.
    #[error("{0}")]
    Named(String),
    /// The folder cannot be read.
    #[error(transparent)]
    Folder(#[from] TargetError),
}

/// A folder of scripts of one target.
#[derive(Debug, Clone)]
pub struct Folder {
    target: String,
    path: PathBuf,
    /// A file beside the folder that holds what waits, where the map names such a one.
    waits: Option<PathBuf>,
}

/// SHA-256 in hexadecimal digits.
pub(super) fn digest(text: &str) -> String {
    format!("{:x}", Sha256::digest(text))
}

/// Reads a file of bounded size.
pub(super) fn read_limited(path: &Path) -> Result<String, String> {
    let cannot = |e: std::io::Error| format!("cannot read {}: {e}", path.display());
    let mut text = String::new();
    File::open(path).map_err(cannot)?.take(LARGEST + 1).read_to_string(&mut text).map_err(cannot)?;
    if text.len() as u64 > LARGEST {
        return Err(format!("{} is larger than {LARGEST} bytes", path.display()));
    }
    Ok(text)
}

impl Folder {
    /// The folder of a target. Of `pending.sql` it is `pending`, and that file holds what waits.
    pub fn new(target: &str, out: PathBuf) -> Self {
        let is_file = out.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("sql"));
        let (path, waits) = if is_file { (out.with_extension(""), Some(out)) } else { (out, None) };
        Self { target: target.to_owned(), path, waits }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn file_name(run: RunId, at: OffsetDateTime) -> String {
        let at = at.to_offset(time::UtcOffset::UTC);
        let (date, (hour, minute, second)) = (at.date(), at.to_hms());
        let (year, month, day) = (date.year(), u8::from(date.month()), date.day());
        format!("{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}Z-{run}.sql")
    }

    fn failed(&self, what: String) -> TargetError {
        TargetError::Unreachable { target: self.target.clone(), reason: what }
    }

    /// Every run, oldest first. A folder that is not there yet has none.
    fn all(&self) -> Result<Vec<Beside>, TargetError> {
        let cannot = |e: std::io::Error| self.failed(format!("cannot read {}: {e}", self.path.display()));
        let entries = match fs::read_dir(&self.path) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(cannot(error)),
        };
        let mut files = Vec::new();
        for entry in entries {
            let path = entry.map_err(cannot)?.path();
            if path.extension().is_some_and(|e| e == "json") {
                files.push(path);
            }
            if files.len() > MOST {
                return Err(self.failed(format!("{} holds more than {MOST} runs", self.path.display())));
            }
        }
        files.sort();
        let mut all = Vec::with_capacity(files.len());
        for path in files {
            let text = read_limited(&path).map_err(|e| self.failed(e))?;
            let beside: Beside = serde_json::from_str(&text).map_err(|e| TargetError::Unreadable {
                target: self.target.clone(),
                attempt: "the files of the folder",
                reason: format!("{}: {e}", path.display()),
            })?;
            // Several targets may share a folder.
            if beside.target == self.target {
                all.push(beside);
            }
        }
        Ok(all)
    }

    /// The files that nobody answered yet, oldest first.
    pub(super) fn open(&self) -> Result<Vec<ScriptFile>, TargetError> {
        Ok(self.all()?.into_iter().filter(|b| b.ended.is_none()).map(ScriptFile::from).collect())
    }

    /// The files that were run, in the order in which that was said; only those after an instant, if one is given.
    pub(super) fn ended(&self, after: Option<OffsetDateTime>) -> Result<Vec<ScriptFile>, TargetError> {
        let mut run: Vec<(OffsetDateTime, ScriptFile)> = self
            .all()?
            .into_iter()
            .filter_map(|beside| match beside.ended {
                Some(Ended { how: ScriptEnd::Confirmed | ScriptEnd::Inspected, at }) => {
                    Some((at, beside.into()))
                }
                _ => None,
            })
            .filter(|(at, _)| after.is_none_or(|after| *at > after))
            .collect();
        run.sort_by(|(a, x), (b, y)| (a, &x.name).cmp(&(b, &y.name)));
        Ok(run.into_iter().map(|(_, file)| file).collect())
    }

    /// What waits, and whether its text is what was written.
    pub fn waiting(&self) -> Result<Vec<OpenScript>, TargetError> {
        let look = |file: ScriptFile| {
            let text = read_limited(&self.path.join(&file.name));
            // Whoever runs it may have edited either of the two.
            let copy = self.waits.as_deref().filter(|copy| copy.exists()).map(read_limited);
            let is_same = |text: Result<String, String>| text.is_ok_and(|text| digest(&text) == file.digest);
            OpenScript { unchanged: is_same(text) && copy.is_none_or(is_same), file }
        };
        Ok(self.open()?.into_iter().map(look).collect())
    }

    /// The file that a person means by its name, its path, or the begin or end of its run's id.
    pub fn find(&self, named: &str) -> Result<OpenScript, NotFound> {
        let file = Path::new(named).file_name().and_then(|name| name.to_str()).unwrap_or(named);
        let waiting = self.waiting()?;
        let by_id = |run: String| named.len() >= 8 && (run.starts_with(named) || run.ends_with(named));
        // The last one written is what the file beside the folder holds.
        let copy = self.waits.as_deref().and_then(Path::file_name).is_some_and(|name| name == file);
        let last = waiting.last().filter(|_| copy).map(|w| w.file.run);
        let mut meant = waiting
            .into_iter()
            .filter(|w| w.file.name == file || last == Some(w.file.run) || by_id(w.file.run.to_string()));
        match (meant.next(), meant.next()) {
            (Some(found), None) => Ok(found),
            (None, _) => Err(NotFound::Named(format!(
                "no file of target {} waits under this name: `axon script list` shows those that do",
                self.target
            ))),
            (Some(_), Some(_)) => {
                Err(NotFound::Named("several files are meant: write more of the id".into()))
            }
        }
    }

    /// Writes a file and what stands beside it. The statements come first: what is not said to wait is found by nobody.
    pub(super) fn write(&self, file: &ScriptFile, text: &str) -> Result<(), TargetError> {
        let beside = Beside {
            axon: 1,
            target: self.target.clone(),
            run: file.run,
            plan: file.plan,
            written: file.at,
            file: file.name.clone(),
            sha256: file.digest.clone(),
            steps: file.steps.clone(),
            ended: None,
        };
        fs::create_dir_all(&self.path)
            .map_err(|e| self.failed(format!("cannot make {}: {e}", self.path.display())))?;
        self.put(&self.path.join(&file.name), text.as_bytes())?;
        if let Some(copy) = &self.waits {
            self.put(copy, text.as_bytes())?;
        }
        self.put_beside(&beside)
    }

    /// Says how a file ended.
    pub fn close(&self, run: RunId, how: ScriptEnd, at: OffsetDateTime) -> Result<(), TargetError> {
        match self.all()?.into_iter().find(|beside| beside.run == run) {
            Some(beside) if beside.ended.is_none() => {
                let digest = beside.sha256.clone();
                self.put_beside(&Beside { ended: Some(Ended { how, at }), ..beside })?;
                self.take_away(&digest)
            }
            Some(_) => Ok(()),
            None => Err(self.failed(format!("nothing is known of run {run} in {}", self.path.display()))),
        }
    }

    /// Takes away the file beside the folder, if it is as it was written: nothing of it waits any more.
    fn take_away(&self, written: &str) -> Result<(), TargetError> {
        let Some(copy) = self.waits.as_deref().filter(|copy| copy.exists()) else { return Ok(()) };
        if digest(&read_limited(copy).map_err(|e| self.failed(e))?) != *written {
            return Ok(());
        }
        fs::remove_file(copy).map_err(|e| self.failed(format!("cannot remove {}: {e}", copy.display())))
    }

    fn put_beside(&self, beside: &Beside) -> Result<(), TargetError> {
        let text = serde_json::to_vec_pretty(beside).map_err(|e| self.failed(e.to_string()))?;
        let name = Path::new(&beside.file).with_extension("json");
        self.put(&self.path.join(name), &text)
    }

    fn put(&self, path: &Path, bytes: &[u8]) -> Result<(), TargetError> {
        let mut unfinished = path.as_os_str().to_owned();
        unfinished.push(".part");
        let unfinished = PathBuf::from(unfinished);
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new("."));
        let write = || -> std::io::Result<()> {
            let mut file = File::create(&unfinished)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            fs::rename(&unfinished, path)?;
            File::open(folder)?.sync_all()
        };
        write().map_err(|e| self.failed(format!("cannot write {}: {e}", path.display())))
    }
}
