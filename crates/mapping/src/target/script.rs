//! What scripts say together with the other targets: the database, where one names none, and files of their own.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use axon_model::SqlName;

use super::{Endpoint, TargetKind, TargetSpec};
use crate::diagnostic::Fault;
use crate::names::TargetName;
use crate::read::Reader;
use crate::yaml::{Node, Scalar, shown};

/// Checks scripts beside all targets.
pub(crate) fn settle(
    reader: &Reader<'_>,
    declared: &[(&Scalar, &Node)],
    targets: &mut BTreeMap<TargetName, TargetSpec>,
) {
    databases(reader, declared, targets);
    files(reader, declared, targets);
}

/// Two targets may share a folder; a file that holds what waits is one target's.
fn files(reader: &Reader<'_>, declared: &[(&Scalar, &Node)], targets: &BTreeMap<TargetName, TargetSpec>) {
    let mut taken: BTreeMap<&Path, &TargetName> = BTreeMap::new();
    for (name, spec) in targets {
        let Endpoint::Script(place) = &spec.endpoint else { continue };
        let out = Path::new(&place.out);
        if !out.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("sql")) {
            continue;
        }
        let out = out.strip_prefix(".").unwrap_or(out);
        if let Some(other) = taken.insert(out, name)
            && let Some((key, _)) = declared.iter().find(|(key, _)| key.text == name.as_str())
        {
            let message =
                format!("targets `{other}` and `{name}` would write into one file, {}", shown(&place.out));
            reader.fault_help(Fault::Invalid, key.span, message, "give each a file, or both a folder");
        }
    }
}

/// Fills in what scripts leave out. Each batch of a file does nothing in another database, so that one has to be known.
fn databases(
    reader: &Reader<'_>,
    declared: &[(&Scalar, &Node)],
    targets: &mut BTreeMap<TargetName, TargetSpec>,
) {
    let mut named: BTreeMap<TargetKind, BTreeSet<SqlName>> = BTreeMap::new();
    for spec in targets.values().filter(|spec| !spec.is_server()) {
        let (dialect, database) = match &spec.endpoint {
            Endpoint::Sql(server) => (spec.kind, &server.database),
            Endpoint::Script(place) => (place.dialect, &place.database),
            Endpoint::Workspace(_) | Endpoint::Azure(_) => continue,
        };
        if let Ok(database) = SqlName::parse(database) {
            named.entry(dialect).or_default().insert(database);
        }
    }
    for spec in targets.values_mut() {
        let Endpoint::Script(place) = &mut spec.endpoint else { continue };
        if !place.database.is_empty() {
            continue;
        }
        let known: Vec<SqlName> = named.get(&place.dialect).into_iter().flatten().copied().collect();
        if let [only] = &known[..] {
            only.as_str().clone_into(&mut place.database);
            continue;
        }
        let Some((key, _)) = declared.iter().find(|(key, _)| key.text == spec.name.as_str()) else {
            continue;
        };
        let told: Vec<&str> = known.iter().map(|name| name.as_str()).collect();
        let others = if told.is_empty() { "none".to_owned() } else { told.join(", ") };
        let message = format!(
            "target `{}` says no `database`, and the map's targets of kind {} name {others}",
            spec.name, place.dialect
        );
        reader.fault_help(Fault::Missing, key.span, message, "say which one its files are for");
    }
}

#[cfg(test)]
mod tests {
    use crate::map::RoleMap;
    use crate::target::Endpoint;

    const POOL: &str = "kind: synapse-dedicated, host: h, auth: managed-identity";
    const SCRIPT: &str = "kind: script, dialect: dedicated";

    fn read(targets: &[(&str, String)]) -> Result<Vec<String>, String> {
        let targets: Vec<_> =
            targets.iter().map(|(name, said)| format!("  {name}: {{ {said} }}\n")).collect();
        let targets = targets.concat();
        let map = RoleMap::parse(&[("m.yaml", &format!("axon: 1\ntargets:\n{targets}"))]);
        let map = map.map_err(|faults| faults.to_string())?;
        let scripts = map.targets.values().filter_map(|spec| match &spec.endpoint {
            Endpoint::Script(place) => Some(place.database.clone()),
            _ => None,
        });
        Ok(scripts.collect())
    }

    #[test]
    fn a_script_without_a_database_is_for_the_only_one_of_its_dialect() {
        let pool = |database: &str| format!("{POOL}, database: {database}");
        let script = format!("{SCRIPT}, out: ./pending.sql");
        let lake = "kind: synapse-serverless, host: h, auth: managed-identity, database: lake".to_owned();
        let one = [("by", script.clone()), ("dw", pool("dw")), ("dw2", pool("DW")), ("lake", lake)];
        assert_eq!(read(&one), Ok(vec!["dw".to_owned()]));
        for others in [vec![], vec![("a", pool("a")), ("b", pool("b"))]] {
            let mut targets = vec![("by", script.clone())];
            targets.extend(others);
            let refused = read(&targets).expect_err("it is not known");
            assert!(refused.contains("target `by` says no `database`"), "{refused}");
        }
    }

    #[test]
    fn a_file_of_what_waits_is_one_target_s() {
        let script = |out: &str| format!("{SCRIPT}, database: dw, out: {out}");
        let two = |a: &str, b: &str| read(&[("a", script(a)), ("b", script(b))]);
        assert!(two("./x.sql", "x.sql").expect_err("one file").contains("would write into one file"));
        assert!(two("x.sql", "y.sql").is_ok() && two("x", "x").is_ok());
    }
}
