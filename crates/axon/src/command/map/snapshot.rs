//! `axon map snapshot`, and the file that it wrote: lines of JSON, and a last one that says of how many, when, and with which
//! digest. A file without it was cut, or never written: a preview over it would find nothing and say that all is well.

mod tables;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;

use anyhow::{Context, bail};
use axon_mapping::TargetName;
use axon_mapping::preview::Tables;
use axon_model::{Delta, Directory, RecordSeq};
use axon_reconcile::{Glob, ViewsAsked};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use time::OffsetDateTime;

use crate::command::Status;
use crate::wiring::Parts;

/// The last line.
#[derive(Debug, Serialize, Deserialize)]
struct End {
    snapshot: Sealed,
}

/// What the last line says of those before it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sealed {
    /// The record of the journal that the directory was of.
    position: RecordSeq,
    #[serde(with = "time::serde::rfc3339")]
    at: OffsetDateTime,
    lines: usize,
    sha256: String,
}

/// A directory that was read from a file.
pub struct Snapshot {
    /// The directory.
    pub directory: Directory,
    /// When it was written.
    pub at: OffsetDateTime,
    /// The tables of targets, if they were asked for.
    pub tables: BTreeMap<TargetName, Tables>,
}

/// Writes the directory, for previews where there is no store; with the tables of the targets, if they are asked for.
pub async fn write(parts: &Parts, with_tables: bool) -> anyhow::Result<Status> {
    let directory = parts.store.load_directory().await;
    let tables = if with_tables { tables_of(parts).await } else { Ok(BTreeMap::new()) };
    parts.store.close().await;
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    write_to(&mut out, &directory?, tables?, parts.clock.now())?;
    out.flush()?;
    Ok(Status::Done)
}

/// All tables of the targets of the map in force that may hold secure views: a map to come may be about others than this one.
async fn tables_of(parts: &Parts) -> anyhow::Result<BTreeMap<TargetName, Tables>> {
    let map = crate::maps::in_force(parts).await?;
    let mut all = BTreeMap::new();
    for (name, target) in parts.targets(&map, None)? {
        let Some(spec) = map.targets.get(&name) else { continue };
        if spec.kind != axon_mapping::TargetKind::SynapseDedicated {
            continue;
        }
        let asked = ViewsAsked {
            metadata: spec.metadata,
            schemas: spec.manage.schemas.clone(),
            bases: vec![Glob::new("*")],
        };
        let read = super::preview::tables::read(target.as_ref(), &asked).await;
        all.insert(name.clone(), read.with_context(|| format!("target {name}"))?);
    }
    Ok(all)
}

fn write_to(
    out: &mut dyn std::io::Write,
    directory: &Directory,
    tables: BTreeMap<TargetName, Tables>,
    at: OffsetDateTime,
) -> anyhow::Result<()> {
    let (mut hash, mut lines) = (Sha256::new(), 0);
    let mut write = |mut line: String| {
        line.push('\n');
        hash.update(&line);
        lines += 1;
        out.write_all(line.as_bytes())
    };
    for delta in directory.as_deltas() {
        write(serde_json::to_string(&delta)?)?;
    }
    for (target, tables) in tables {
        write(serde_json::to_string(&tables::Line::of(target, tables))?)?;
    }
    let sealed =
        Sealed { position: directory.position(), at, lines, sha256: format!("{:x}", hash.finalize()) };
    serde_json::to_writer(&mut *out, &End { snapshot: sealed })?;
    out.write_all(b"\n")?;
    Ok(())
}

/// Reads such a file, whole or not at all.
pub fn read(path: &Path) -> anyhow::Result<Snapshot> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("cannot read the snapshot {}", path.display()))?;
    parse(&text).with_context(|| format!("the snapshot {}", path.display()))
}

fn parse(text: &str) -> anyhow::Result<Snapshot> {
    let text = text.replace("\r\n", "\n");
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let end = lines.last().and_then(|line| serde_json::from_str::<End>(line).ok());
    let Some(End { snapshot: sealed }) = end else {
        bail!(
            "it is not whole: its last line does not say how many there are; write it again with `axon map snapshot`"
        );
    };
    let (mut directory, mut hash, mut tables) = (Directory::default(), Sha256::new(), BTreeMap::new());
    for (number, line) in lines[..lines.len() - 1].iter().enumerate() {
        hash.update(line);
        hash.update("\n");
        if line.starts_with("{\"tables\":") {
            let of_target: tables::Line = serde_json::from_str(line)
                .with_context(|| format!("line {} tells no tables of a target", number + 1))?;
            of_target.into(&mut tables);
            continue;
        }
        let delta: Delta = serde_json::from_str(line)
            .with_context(|| format!("line {} is no record of a directory", number + 1))?;
        directory.apply(&delta, RecordSeq(number as u64 + 1));
    }
    if lines.len() - 1 != sealed.lines || format!("{:x}", hash.finalize()) != sealed.sha256 {
        bail!(
            "it is not whole: it has {} lines, and {} others were written; write it again with `axon map snapshot`",
            lines.len() - 1,
            sealed.lines
        );
    }
    directory.advance(sealed.position);
    Ok(Snapshot { directory, at: sealed.at, tables })
}

#[cfg(test)]
mod tests {
    use axon_model::GroupEntry;
    use time::macros::datetime;

    use super::*;

    fn written() -> String {
        let mut directory = Directory::default();
        for n in 1..4u64 {
            let group = GroupEntry {
                id: format!("00000000-0000-0000-1111-{n:012x}").parse().unwrap(),
                source: "entra".parse().unwrap(),
                display_name: format!("G{n}").into(),
                external_id: None,
                document: "{}".into(),
            };
            directory.apply(&Delta::GroupPut { group }, RecordSeq(n));
        }
        let mut text = Vec::new();
        let tables = BTreeMap::from([("dw".parse().unwrap(), Tables::default())]);
        write_to(&mut text, &directory, tables, datetime!(2026-11-22 12:00 UTC)).unwrap();
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn what_was_written_is_read_and_what_was_cut_or_changed_is_not() {
        let whole = written();
        let read = parse(&whole).unwrap();
        assert_eq!(read.directory.groups().count(), 3);
        assert_eq!(read.directory.position(), RecordSeq(3));
        assert_eq!(read.tables.len(), 1);
        assert_eq!(parse(&whole.replace('\n', "\r\n")).unwrap().directory.groups().count(), 3);
        let lines: Vec<&str> = whole.lines().collect();
        for (case, text) in [
            ("nothing", String::new()),
            ("cut at the end", lines[..3].join("\n")),
            ("cut in a line", whole[..whole.len() / 2].to_owned()),
            ("cut in the middle", [lines[0], lines[4]].join("\n")),
            ("without the tables", [lines[0], lines[1], lines[2], lines[4]].join("\n")),
            ("a line twice", [lines[0], lines[0], lines[1], lines[4]].join("\n")),
            ("a name changed", whole.replace("G2", "G9")),
            ("only the end", lines[4].to_owned()),
        ] {
            let said = format!("{:#}", parse(&text).err().unwrap_or_else(|| panic!("{case} was read")));
            assert!(said.contains("not whole"), "{case}: {said}");
        }
    }
}
