//! `axon map preview`

mod days;
pub mod statements;
pub(super) mod tables;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, bail};
use axon_controller::World;
use axon_mapping::preview::{Compared, MOST, Report, TablesOf, markdown, preview_of, sides, steps};
use axon_mapping::{Beside, Identity, RoleMap, map_test};
use axon_model::{Clock, Directory, SystemClock};
use serde_json::json;
use time::OffsetDateTime;

use super::{in_force, read, snapshot};
use crate::cli::PreviewArgs;
use crate::command::{Status, print_json};
use crate::wiring::{Parts, load_config};

/// The maps that are compared.
struct Maps {
    /// The one in force; none before the first.
    old: Option<Arc<RoleMap>>,
    new: Arc<RoleMap>,
}

/// Whom it is about.
struct Looked {
    directory: Directory,
    identity: Arc<Identity>,
    beside: Arc<Beside>,
    /// When the file was written that this is of.
    written: Option<OffsetDateTime>,
    /// What is known of the tables that secure views show.
    tables: TablesOf,
}

/// What a new map would change for people.
pub async fn run(config: &Path, args: &PreviewArgs) -> anyhow::Result<Status> {
    let now = SystemClock.now();
    let maps = maps(config, args, now).await?;
    if let Some(days) = args.days {
        return days::run(config, args, &maps, days, now).await;
    }
    let Looked { directory, identity, beside, written, tables } =
        directory(config, args.snapshot.as_deref(), &maps, now).await?;
    let compared = Compared {
        old: maps.old.as_ref(),
        new: &maps.new,
        directory: &directory,
        identity: &identity,
        beside: &beside,
        now,
    };
    let both = sides(compared);
    let most = if args.steps || args.json { usize::MAX } else { MOST };
    let preview = preview_of(compared, &both);
    let behind = steps(compared, &both, &tables, &statements::of, most);
    let report = Report { preview: &preview, steps: &behind, every_step: args.steps };
    let looked = looked_at(&directory, written);
    tell(args, &|| format!("{}\n{looked}\n", markdown(&report)), &|| {
        if args.json {
            let mut value = serde_json::to_value(&preview)?;
            value["directory"] = json!({
                "position": directory.position(),
                "people": directory.users().count(),
                "groups": directory.groups().count(),
            });
            value["steps"] = serde_json::to_value(&behind)?;
            return print_json(&value);
        }
        print!("{report}");
        println!("{looked}");
        Ok(())
    })?;
    Ok(if preview.gives() { Status::Found } else { Status::Done })
}

async fn maps(config: &Path, args: &PreviewArgs, now: OffsetDateTime) -> anyhow::Result<Maps> {
    let new = Arc::new(read(config, Some(&args.new), &args.set)?);
    let failures = map_test::run(&new, now);
    if let Some(failure) = failures.first() {
        bail!("the new map fails {} of its tests, first\n\n{failure}", failures.len());
    }
    let old = match (&args.old, &args.snapshot) {
        (Some(path), _) => Some(Arc::new(read(config, Some(path), &[])?)),
        // Without a configuration there is no map in force: everything is gained.
        (None, Some(_)) if !config.exists() => None,
        // Beside a snapshot no store is asked for anything.
        (None, Some(_)) => Some(Arc::new(read(config, None, &[])?)),
        (None, None) => Some(Arc::new(in_force(config).await?)),
    };
    Ok(Maps { old, new })
}

async fn directory(
    config: &Path,
    file: Option<&Path>,
    maps: &Maps,
    now: OffsetDateTime,
) -> anyhow::Result<Looked> {
    if let Some(path) = file {
        let snapshot::Snapshot { directory, at, tables } = snapshot::read(path)?;
        let tables = tables.into_iter().map(|(name, tables)| (name, Ok(tables))).collect();
        let (identity, beside) = (Arc::default(), Arc::default());
        return Ok(Looked { directory, identity, beside, written: Some(at), tables });
    }
    let parts = Parts::open_existing(load_config(config)?).await?;
    let mut world = World::of(parts.config.claims());
    let followed = world.follow(parts.store.as_ref(), now).await;
    let tables = tables::of_targets(&parts, maps.old.as_deref(), &maps.new).await;
    parts.store.close().await;
    followed?;
    Ok(Looked {
        directory: world.directory().clone(),
        identity: world.identity().clone(),
        beside: world.beside().clone(),
        written: None,
        tables,
    })
}

/// Over whom: "nobody gains" says little where nobody was looked at.
fn looked_at(directory: &Directory, written: Option<OffsetDateTime>) -> String {
    let (people, groups) = (directory.users().count(), directory.groups().count());
    let of = written.map_or_else(
        || "the directory".to_owned(),
        |at| format!("a snapshot of {}", axon_store::stored::shown_instant(at)),
    );
    let people = if people == 1 { "1 person".to_owned() } else { format!("{people} people") };
    let groups = if groups == 1 { "1 group".to_owned() } else { format!("{groups} groups") };
    format!("looked at {people} and {groups} of {of}, at record {}", directory.position())
}

/// Prints what was asked for, and writes the comment where one was.
fn tell(
    args: &PreviewArgs,
    comment: &dyn Fn() -> String,
    print: &dyn Fn() -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let Some(file) = &args.markdown else { return print() };
    if file.as_os_str() == "-" {
        print!("{}", comment());
        return Ok(());
    }
    write_whole(file, &comment())?;
    print()
}

fn write_whole(file: &PathBuf, text: &str) -> anyhow::Result<()> {
    std::fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))
}
