//! A target whose steps are written into files: its folder, what waits there, and where its catalog is seen.

use std::path::{Path, PathBuf};

use axon_mapping::target::{Endpoint, ScriptSeen};
use axon_mapping::{RoleMap, TargetSpec};
use axon_reconcile::{InspectScope, Mode, Script as _, Target as _};

use axon_synapse::script::Folder;

use super::remedy;
use super::report::{Report, count};
use crate::config::Config;
use crate::wiring;

/// Looks at the folder and the catalog; writes nothing.
pub async fn look(config: &Config, map: &RoleMap, spec: &TargetSpec, report: &mut Report) {
    let area = format!("target {}", spec.name);
    let Endpoint::Script(place) = &spec.endpoint else { return };
    let out = wiring::map_folder(&config.role_map).join(&place.out);
    let out = Folder::new(spec.name.as_str(), out).path().to_owned();
    if let Some(why) = unwritable(&out) {
        report.found(
            &area,
            format!("no file can be written into {}: {why}", out.display()),
            "make the folder, and let the account that runs axon serve write there",
        );
    }
    if spec.mode == Mode::Observe {
        report.found(
            &area,
            "its mode is observe: no file is written",
            "write mode: additive or authoritative into the role map when the plan is right",
        );
    }
    let target = match wiring::script_of(config, map, spec) {
        Ok(target) => target,
        Err(error) => return report.found(&area, format!("{error:#}"), remedy::WIRING),
    };
    match target.open() {
        Ok(open) => match open.first() {
            None => report.well(&area, format!("no file waits in {}", out.display())),
            Some(first) => report.well(
                &area,
                format!("{} waits to be run; the first: {}", count(open.len(), "file"), first.name),
            ),
        },
        Err(error) => {
            let helps = "files of Axon's are not to be changed: take out what was put there by hand";
            report.found(&area, error.to_string(), helps);
        }
    }
    let seen_in = match &place.seen {
        ScriptSeen::Confirmed => "as people confirmed it",
        ScriptSeen::Catalog(_) => "from the exported catalog",
        ScriptSeen::Pool(_) => "from the database itself",
    };
    match target.inspect(InspectScope::Full).await {
        Ok(seen) => {
            let graph = &seen.graph;
            report.well(
                &area,
                format!(
                    "{seen_in}: {} principals, {} roles, {} memberships, {} grants",
                    graph.principals.len(),
                    graph.roles.len(),
                    graph.members.len(),
                    graph.grants.len()
                ),
            );
            for unseen in seen.unseen {
                report.found(&area, unseen, remedy::UNSEEN);
            }
        }
        Err(error) => {
            let helps = match &place.seen {
                ScriptSeen::Catalog(_) => {
                    "axon script catalog --target NAME --out FILE, run where the database can be read, makes it anew".to_owned()
                }
                ScriptSeen::Confirmed | ScriptSeen::Pool(_) => remedy::against(&error, spec),
            };
            report.found(&area, error.to_string(), helps);
        }
    }
}

/// Why nothing can be written there. The folder is made with the first file, so that its next parent counts.
fn unwritable(out: &Path) -> Option<String> {
    let there: PathBuf = out.ancestors().find(|path| path.exists())?.to_owned();
    if !there.is_dir() {
        return Some(format!("{} is no folder", there.display()));
    }
    match tempfile_in(&there) {
        Ok(()) => None,
        Err(error) => Some(error.to_string()),
    }
}

/// Makes a file under a name that nothing has, and takes it away again: permission bits do not tell of file systems that are full or
/// only read.
fn tempfile_in(folder: &Path) -> std::io::Result<()> {
    let path = folder.join(format!(".axon-doctor-{}", std::process::id()));
    std::fs::OpenOptions::new().write(true).create_new(true).open(&path)?;
    std::fs::remove_file(&path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_is_a_file_takes_nothing_and_one_that_is_to_be_made_does() {
        let base = std::env::temp_dir().join(format!("axon-doctor-script-{}", std::process::id()));
        std::fs::create_dir_all(&base).unwrap();
        assert_eq!(unwritable(&base.join("to/be/made")), None);
        std::fs::write(base.join("file"), "x").unwrap();
        assert!(unwritable(&base.join("file/pending")).unwrap().contains("is no folder"));
        assert_eq!(std::fs::read_dir(&base).unwrap().count(), 1, "nothing is left behind");
        std::fs::remove_dir_all(&base).unwrap();
    }
}
