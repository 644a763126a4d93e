//! The preview of a map with its T-SQL, as `axon map preview` tells it, at the size that is designed for: a change of some
//! mappings and a role, and a first map, by which everybody gains.

#![expect(clippy::print_stdout, reason = "a bench prints its figures")]
#![expect(clippy::unwrap_used, reason = "a bench that cannot be set up has failed")]

#[path = "../../mapping/benches/designed.rs"]
mod designed;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use axon_mapping::preview::{Preview, Report, TablesOf, TargetSteps, markdown, preview_of, sides, steps};
use axon_mapping::{Compared, Identity, RoleMap, TargetSpec};
use axon_model::{Directory, SqlName};
use axon_reconcile::Step;
use axon_synapse::{Dialect, Wording};
use designed::{NOW, best, directory, parsed, peak, text};

const GOAL: Duration = Duration::from_secs(2);

fn t_sql(_target: &TargetSpec, roles: &BTreeSet<SqlName>, step: &Step) -> Vec<String> {
    Wording { dialect: Dialect::Dedicated, database: SqlName::parse("d").unwrap(), roles }.told(step)
}

/// A preview with the statements behind it.
fn whole(
    old: Option<&Arc<RoleMap>>,
    new: &Arc<RoleMap>,
    directory: &Directory,
) -> (Preview, Vec<TargetSteps>) {
    let (identity, beside) = (Arc::<Identity>::default(), Arc::default());
    let compared = Compared { old, new, directory, identity: &identity, beside: &beside, now: NOW };
    let both = sides(compared);
    (preview_of(compared, &both), steps(compared, &both, &TablesOf::new(), &t_sql))
}

/// As it is told in a terminal, in a comment and in JSON.
fn told(found: &(Preview, Vec<TargetSteps>)) -> [String; 3] {
    let (preview, steps) = found;
    let report = Report { preview, steps, every_step: true };
    [report.to_string(), markdown(&report), serde_json::to_string(&found).unwrap()]
}

fn counts(found: &(Preview, Vec<TargetSteps>), told: &[String; 3]) {
    let (preview, steps) = found;
    let all = || steps.iter().flat_map(|target| target.steps.iter().chain(&target.withheld));
    println!(
        "  {} gain, {} lose; {} steps, {} of them held, {} statements; {:?} bytes of text, Markdown, JSON; {:?} MiB",
        preview.people_gaining,
        preview.people_losing,
        all().count(),
        steps.iter().map(|target| target.withheld.len()).sum::<usize>(),
        all().map(|told| told.statements.len()).sum::<usize>(),
        told.each_ref().map(String::len),
        peak()
    );
}

fn main() {
    let (old, new) = (parsed(&text(false)), parsed(&text(true)));
    let directory = directory();
    let report = |what: &str, old: Option<&Arc<RoleMap>>| {
        let (found, told) = best(what, GOAL, 3, || {
            let found = whole(old, &new, &directory);
            let told = told(&found);
            (found, told)
        });
        counts(&found, &told);
    };
    report("preview with its statements", Some(&old));
    designed::end();
    // Everybody gains: some hundred thousand statements, told three times over. Its figure is published without a goal.
    report("preview of a first map", None);
}
