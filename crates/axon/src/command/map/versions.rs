//! `axon map log | show | push | revert | release | reject`: versions of the role map, in the store or over the operators' API.
//!
//! Both ways answer in the same JSON, so that what people and programs see does not hang on the way.

mod server;
mod store;

use std::path::Path;

use anyhow::{Context, bail};
use axon_mapping::RoleMap;
use axon_model::MapVersion;
use axon_model::name::shown;
use axon_store::maps::MapFiles;
use axon_store::operators::Permission;
use serde_json::{Value, json};

use self::server::Server;
use self::store::InStore;
use crate::cli::{AnswerArgs, LogArgs, PushArgs, Reach, RevertArgs, ShowArgs};
use crate::command::{Status, print_json};
use crate::person::Proof;
use crate::wiring::{Parts, map_files};

/// The fewest characters that a hash may be shortened to.
const SHORTEST: usize = 8;
/// All of a hash.
const WHOLE: usize = 64;

/// A version that is brought.
struct Pushed {
    files: MapFiles,
    comment: String,
    /// The hash of what it was made from; none where nothing is in force.
    parent: Option<String>,
    pipeline: Option<String>,
    commit: Option<String>,
}

/// Where versions are.
enum Versions {
    Store(Box<InStore>),
    Server(Server),
}

impl Versions {
    async fn open(config: &Path, reach: &Reach, permission: Permission) -> anyhow::Result<Self> {
        match &reach.url {
            Some(url) => Ok(Self::Server(Server::new(url, &reach.proof)?)),
            None => Ok(Self::Store(Box::new(InStore::open(config, &reach.proof, permission).await?))),
        }
    }

    async fn current(&self) -> anyhow::Result<Option<Value>> {
        match self {
            Self::Store(store) => store.current().await,
            Self::Server(server) => server.current().await,
        }
    }

    async fn list(&self, limit: u32) -> anyhow::Result<Vec<Value>> {
        match self {
            Self::Store(store) => store.list(limit).await,
            Self::Server(server) => server.list(limit).await,
        }
    }

    async fn proposals(&self) -> anyhow::Result<Vec<Value>> {
        match self {
            Self::Store(store) => store.proposals().await,
            Self::Server(server) => server.proposals().await,
        }
    }

    /// A version by its whole hash, in force once or only proposed, with its text.
    async fn one(&self, version: &str) -> anyhow::Result<Option<Value>> {
        match self {
            Self::Store(store) => store.one(version).await,
            Self::Server(server) => server.one(version).await,
        }
    }

    async fn push(&self, pushed: Pushed) -> anyhow::Result<Value> {
        match self {
            Self::Store(store) => store.push(pushed).await,
            Self::Server(server) => server.push(pushed).await,
        }
    }

    async fn answer(&self, version: &str, release: bool, reason: &str) -> anyhow::Result<Value> {
        match self {
            Self::Store(store) => store.answer(version, release, reason).await,
            Self::Server(server) => server.answer(version, release, reason).await,
        }
    }

    async fn close(&self) {
        if let Self::Store(store) = self {
            store.close().await;
        }
    }

    /// The whole hash of one that may be shortened.
    async fn whole(&self, given: &str) -> anyhow::Result<String> {
        let given = given.trim().to_ascii_lowercase();
        if given.len() > WHOLE || !given.bytes().all(|b| b.is_ascii_hexdigit()) {
            bail!("{given:?} is no hash of a version; `axon map log` shows them");
        }
        if given.len() == WHOLE {
            return Ok(given);
        }
        if given.len() < SHORTEST {
            bail!("{given:?} is too short for a hash; `axon map log` shows them");
        }
        let (mut known, proposed) = (self.list(100).await?, self.proposals().await?);
        known.extend(proposed);
        let mut found: Vec<&str> = known.iter().filter_map(|one| one["version"].as_str()).collect();
        found.retain(|version| version.starts_with(&given));
        found.sort_unstable();
        found.dedup();
        match found.as_slice() {
            [] => bail!("there is no version {given:?} among the last hundred; `axon map log` shows them"),
            [one] => Ok((*one).to_owned()),
            several => bail!("{given:?} fits {} versions: give more of the hash", several.len()),
        }
    }
}

/// `axon map log`
pub async fn log(config: &Path, args: &LogArgs) -> anyhow::Result<Status> {
    let versions = Versions::open(config, &args.reach, Permission::MapRead).await?;
    let (list, proposals) = (versions.list(args.limit).await?, versions.proposals().await?);
    versions.close().await;
    if args.json {
        print_json(&json!({ "versions": list, "proposals": proposals }))?;
        return Ok(Status::Done);
    }
    for waits in proposals.iter().filter(|one| one["state"] == "open") {
        println!("{}  WAITS for a second person, until {}", text(&waits["version"]), text(&waits["expires"]));
        said(waits, &waits["opened"]);
    }
    if list.is_empty() {
        println!("no version of the role map is in force yet: `axon serve` takes the configured file");
    }
    for (n, version) in list.iter().enumerate() {
        println!("{}{}", text(&version["version"]), if n == 0 { "  in force" } else { "" });
        said(version, &version["at"]);
    }
    Ok(Status::Done)
}

/// Who said what, below a hash.
fn said(version: &Value, at: &Value) {
    let author = version["author"]["shown"].as_str().unwrap_or("an earlier release");
    println!("    {} by {author}", text(at));
    if let Some(second) = version["released_by"]["shown"].as_str() {
        println!("    released by {second}");
    }
    if let Some(comment) = version["comment"].as_str().filter(|comment| !comment.is_empty()) {
        println!("    {}", shown(comment));
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or("?")
}

/// `axon map show`
pub async fn show(config: &Path, args: &ShowArgs) -> anyhow::Result<Status> {
    let versions = Versions::open(config, &args.reach, Permission::MapRead).await?;
    let found = match &args.version {
        Some(given) => {
            let whole = versions.whole(given).await?;
            versions.one(&whole).await?.with_context(|| format!("there is no version {whole}"))?
        }
        None => versions.current().await?.context("no version of the role map is in force")?,
    };
    versions.close().await;
    if args.json {
        print_json(&found)?;
        return Ok(Status::Done);
    }
    let files = files_of(&found);
    for (name, body) in &files {
        // One file comes out as it went in.
        if files.len() > 1 {
            println!("# --- {}", shown(name));
        }
        print!("{body}");
        if !body.ends_with('\n') {
            println!();
        }
    }
    Ok(Status::Done)
}

fn files_of(version: &Value) -> MapFiles {
    let owned = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let files = version["files"].as_array().into_iter().flatten();
    files.map(|file| (owned(&file["name"]), owned(&file["text"]))).collect()
}

/// `axon map push`
pub async fn push(config: &Path, args: &PushArgs) -> anyhow::Result<Status> {
    let mut files = map_files(&args.file)?;
    let versions = Versions::open(config, &args.reach, Permission::MapPush).await?;
    let parent = match (&args.parent, &args.parent_file) {
        (Some(given), _) => Some(versions.whole(given).await?),
        (None, Some(file)) => Some(made_from(&versions, &mut files, map_files(file)?).await?),
        (None, None) => in_force(&versions).await?,
    };
    let pushed = Pushed {
        files,
        comment: args.comment.clone(),
        parent,
        pipeline: args.pipeline.clone(),
        commit: args.commit.clone(),
    };
    let outcome = versions.push(pushed).await;
    versions.close().await;
    tell(&outcome?, args.json)
}

/// The hash of an older text. One file is a version by its name and its text, and a repository knows the text alone: the old one
/// counts under the name that the version in force has where that makes it this version, and under the name of the new one else.
/// A new one that is the text in force takes that name too, and is no news.
async fn made_from(versions: &Versions, new: &mut MapFiles, mut old: MapFiles) -> anyhow::Result<String> {
    if let ([(new_name, new_text)], [(old_name, old_text)]) = (new.as_mut_slice(), old.as_mut_slice()) {
        old_name.clone_from(new_name);
        // Who may push and not read, or push where the text in the store is not believed, is told by the push itself.
        let in_force = versions.current().await.ok().flatten().map(|found| files_of(&found));
        if let Some([(name, text)]) = in_force.as_deref() {
            if new_text == text {
                new_name.clone_from(name);
            }
            if old_text == text {
                old_name.clone_from(name);
            }
        }
    }
    let old: Vec<(&str, &str)> = old.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    Ok(RoleMap::version_of(&old).0.to_string())
}

/// A version that a command made itself, through the same gate, on the configured store.
pub async fn push_patched(
    parts: &Parts,
    proof: &Proof,
    files: MapFiles,
    comment: String,
    parent: Option<MapVersion>,
) -> anyhow::Result<Status> {
    let store = InStore::over(parts.clone(), proof, Permission::MapPush).await?;
    let parent = parent.map(|parent| parent.0.to_string());
    let pushed = Pushed { files, comment, parent, pipeline: None, commit: None };
    tell(&store.push(pushed).await?, false)
}

async fn in_force(versions: &Versions) -> anyhow::Result<Option<String>> {
    // The head alone: a push is the way out where the text in the store is not believed.
    let newest = versions.list(1).await?;
    Ok(newest.first().and_then(|head| head["version"].as_str().map(str::to_owned)))
}

/// `axon map revert`: the old text as a new version, through everything that a new version goes through.
pub async fn revert(config: &Path, args: &RevertArgs) -> anyhow::Result<Status> {
    let versions = Versions::open(config, &args.reach, Permission::MapPush).await?;
    let whole = versions.whole(&args.version).await?;
    let old = versions.one(&whole).await?.with_context(|| format!("there is no version {whole}"))?;
    let parent = in_force(&versions).await?;
    let short = &whole[..12];
    let comment = match args.comment.as_deref().map(str::trim).filter(|comment| !comment.is_empty()) {
        Some(comment) => format!("Revert to {short}: {comment}"),
        None => format!("Revert to {short}"),
    };
    let pushed = Pushed { files: files_of(&old), comment, parent, pipeline: None, commit: None };
    let outcome = versions.push(pushed).await;
    versions.close().await;
    tell(&outcome?, args.json)
}

/// `axon map release | reject`
pub async fn answer(config: &Path, args: &AnswerArgs, release: bool) -> anyhow::Result<Status> {
    let versions = Versions::open(config, &args.reach, Permission::MapRelease).await?;
    let whole = versions.whole(&args.version).await?;
    let outcome = versions.answer(&whole, release, &args.reason).await;
    versions.close().await;
    tell(&outcome?, args.json)
}

/// What came of it.
fn tell(outcome: &Value, as_json: bool) -> anyhow::Result<Status> {
    if as_json {
        print_json(outcome)?;
        return Ok(Status::Done);
    }
    match text(&outcome["outcome"]) {
        "in-force" => {
            println!("in force: {}", text(&outcome["version"]["version"]));
            eprintln!("a running serve takes it up within a second");
        }
        "unchanged" => println!("in force already: {}", text(&outcome["version"]["version"])),
        "proposed" => {
            let proposal = &outcome["proposal"];
            println!("proposed: {}", text(&proposal["version"]));
            eprintln!(
                "somebody else releases it until {}: axon map release {} --reason …",
                text(&proposal["expires"]),
                &text(&proposal["version"]).get(..12).unwrap_or_default()
            );
        }
        other => println!("{other}"),
    }
    Ok(Status::Done)
}
