//! `axon map adopt`

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use axon_controller::World;
use axon_mapping::adopt::{Adopted, Adopting, Left, LeftKind, NotAdopted, adopt};
use axon_mapping::{RoleMap, TargetName};
use axon_model::SqlName;
use axon_reconcile::{Classifier, InspectScope, Inspection, Target as _};
use axon_synapse::{SynapseTarget, Untold};

use crate::cli::AdoptArgs;
use crate::command::{Status, print_json};
use crate::maps;
use crate::wiring::{Parts, load_config};

/// How often a long read says that it goes on.
const PATIENCE: Duration = Duration::from_secs(5);

/// Reads a pool and writes the map that describes it, once it is proved that the map changes nothing.
pub async fn run(config: &Path, args: &AdoptArgs) -> anyhow::Result<Status> {
    let config = load_config(config)?;
    if let Some(out) = &args.out {
        may_write(out, args.force)?;
    }
    let parts = Parts::open_existing(config).await?;
    let map = Arc::new(maps::in_force(&parts).await?);
    let target = known(&map, &args.target)?;
    let pool = parts.pool(&map, &target)?;
    let now = parts.clock.now();
    let mut world = World::of(parts.config.claims());
    world.follow(parts.store.as_ref(), now).await?;
    let remembered = parts.store.remembered_principals(target.as_str()).await?;
    parts.store.close().await;
    let people = world.directory().users().count();
    ensure!(
        people > 0,
        "the directory holds nobody: adopt after the first push, else everybody in the pool is a stranger"
    );
    let counted = |n: usize, one: &str, many: &str| format!("{n} {}", if n == 1 { one } else { many });
    let told = format!(
        "the directory holds {} and {}",
        counted(people, "person", "people"),
        counted(world.directory().groups().count(), "group", "groups")
    );
    eprintln!("{told}; reading {target}");
    let Read { inspection, classifiers, untold } = read(&pool, &target).await?;
    let Inspection { graph, shape, facts, unseen } = inspection;
    if !unseen.is_empty() {
        bail!(
            "not all of {target} can be seen, so what is left out of a map would be unknown\n\n{}",
            unseen.join("\n")
        );
    }
    eprintln!(
        "{target} holds {}, {}, {} and {}; looking for the map",
        counted(graph.principals.len(), "principal", "principals"),
        counted(graph.roles.len(), "role", "roles"),
        counted(graph.members.len(), "membership", "memberships"),
        counted(graph.grants.len(), "permission", "permissions"),
    );
    let known: BTreeSet<SqlName> = remembered.into_iter().collect();
    let owner = args.owner.clone().unwrap_or_else(login);
    let mut adopted = adopt(Adopting {
        map: &map,
        target: &target,
        actual: &graph,
        shape: &Arc::new(shape),
        classifiers: &classifiers,
        own: facts.own_principal,
        known: &known,
        directory: world.directory(),
        identity: world.identity(),
        now,
        owner: &owner,
        // To the second, as people write it.
        until: whole_day(now + time::Duration::days(args.protect_for.into())),
    })?;
    let left = untold.into_iter().filter_map(|untold| left(untold, &classifiers, &adopted.classifiers));
    adopted.report.left.extend(left);
    adopted.report.left.sort();
    tell(args, &adopted)?;
    Ok(Status::Done)
}

fn known(map: &RoleMap, name: &str) -> anyhow::Result<TargetName> {
    let found = map.targets.keys().find(|target| target.as_str() == name);
    let names = || map.targets.keys().map(TargetName::as_str).collect::<Vec<_>>().join(", ");
    let target =
        found.with_context(|| format!("the role map names no target {name:?}; it names: {}", names()))?;
    if map.targets[target].sql_server().is_none() {
        return Err(NotAdopted::NoDatabase(target.clone()).into());
    }
    Ok(target.clone())
}

fn may_write(out: &Path, force: bool) -> anyhow::Result<()> {
    ensure!(!out.is_dir(), "{} is a folder", out.display());
    ensure!(force || !out.exists(), "{} is there already: --force writes over it", out.display());
    Ok(())
}

fn login() -> String {
    std::env::var("USER").or_else(|_| std::env::var("LOGNAME")).unwrap_or_else(|_| "unknown".into())
}

fn whole_day(at: time::OffsetDateTime) -> time::OffsetDateTime {
    at.replace_time(time::Time::MIDNIGHT)
}

/// All that a pool shows.
struct Read {
    inspection: Inspection,
    classifiers: Vec<Classifier>,
    untold: Vec<Untold>,
}

/// Reads all of a pool, and says every now and then that it goes on.
async fn read(pool: &SynapseTarget, target: &TargetName) -> anyhow::Result<Read> {
    let reading = async {
        let inspection = pool.inspect(InspectScope::Full).await?;
        let classifiers = pool.inspect_classifiers().await?.unwrap_or_default();
        let untold = pool.untold().await?;
        anyhow::Ok(Read { inspection, classifiers, untold })
    };
    let mut reading = std::pin::pin!(reading);
    let mut waited = Duration::ZERO;
    loop {
        if let Ok(read) = tokio::time::timeout(PATIENCE, &mut reading).await {
            return read;
        }
        waited += PATIENCE;
        eprintln!("still reading {target} after {} s", waited.as_secs());
    }
}

/// What the map does not say of this; none where it is a classifier that a line says.
fn left(untold: Untold, there: &[Classifier], outside: &BTreeMap<SqlName, String>) -> Option<Left> {
    let Untold { classifier, what } = untold;
    let Some(named) = classifier else {
        return Some(Left { kind: LeftKind::Untold, what, why: "a map says nothing of it".into() });
    };
    let found = SqlName::parse(&named).ok().filter(|name| there.iter().any(|one| one.name == *name));
    let why = match found {
        Some(name) => outside.get(&name)?.clone(),
        None => "its name, or whose requests it is about, cannot stand in a map".into(),
    };
    Some(Left { kind: LeftKind::Classifier, what, why })
}

fn tell(args: &AdoptArgs, adopted: &Adopted) -> anyhow::Result<()> {
    let Adopted { text, report, classifiers: _ } = adopted;
    if let Some(out) = &args.out {
        save(out, text, args.force)?;
    }
    if args.json {
        let mut value = serde_json::to_value(report)?;
        value["map"] = text.as_str().into();
        return print_json(&value);
    }
    if let Some(out) = &args.out {
        print!("{report}");
        println!("\nwritten to {}", out.display());
    } else {
        // The map alone, so that it can be sent on; the report for whoever sits there.
        print!("{text}");
        eprint!("{report}");
    }
    Ok(())
}

/// Writes the whole file or none of it. Without `force` nothing that is there is written over, whatever came in between.
fn save(out: &Path, text: &str, force: bool) -> anyhow::Result<()> {
    let failed = || format!("cannot write {}", out.display());
    if !force {
        let mut file = std::fs::File::create_new(out).with_context(failed)?;
        return file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).with_context(failed);
    }
    let mut beside = out.as_os_str().to_owned();
    beside.push(".new");
    let beside = PathBuf::from(beside);
    let mut file = std::fs::File::create(&beside).with_context(failed)?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).with_context(failed)?;
    std::fs::rename(&beside, out).with_context(failed)
}
