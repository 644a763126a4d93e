//! The preview of a map with its T-SQL, as `axon map preview` tells it, at the size that is designed for: a change of some
//! mappings and a role, and a first map, by which everybody gains.

#![expect(clippy::print_stdout, reason = "a bench prints its figures")]
#![expect(clippy::unwrap_used, reason = "a bench that cannot be set up has failed")]

#[path = "../../mapping/benches/designed.rs"]
mod designed;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use axon_mapping::preview::{
    MOST, Preview, Report, TablesOf, TargetSteps, markdown, preview_of, sides, steps,
};
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
    most: usize,
) -> (Preview, Vec<TargetSteps>) {
    let (identity, beside) = (Arc::<Identity>::default(), Arc::default());
    let compared = Compared { old, new, directory, identity: &identity, beside: &beside, now: NOW };
    let both = sides(compared);
    (preview_of(compared, &both), steps(compared, &both, &TablesOf::new(), &t_sql, most))
}

/// As it is told in a terminal, in a comment and, where every step is asked for, in JSON.
fn told(found: &(Preview, Vec<TargetSteps>), every: bool) -> [String; 3] {
    let (preview, steps) = found;
    let report = Report { preview, steps, every_step: every };
    let json = if every { serde_json::to_string(&found).unwrap() } else { String::new() };
    [report.to_string(), markdown(&report), json]
}

fn counts(found: &(Preview, Vec<TargetSteps>), told: &[String; 3]) {
    let (preview, steps) = found;
    let all = || steps.iter().flat_map(|target| target.steps.iter().chain(&target.withheld));
    println!(
        "  {} gain, {} lose; {} steps, {} of them held, {} statements told; {:?} bytes of text, Markdown, JSON; {:?} MiB",
        preview.people_gaining,
        preview.people_losing,
        steps.iter().map(|target| target.to_do + target.would_wait).sum::<usize>(),
        steps.iter().map(|target| target.would_wait).sum::<usize>(),
        all().map(|told| told.statements.len()).sum::<usize>(),
        told.each_ref().map(String::len),
        peak()
    );
}

fn main() {
    let (old, new) = (parsed(&text(false)), parsed(&text(true)));
    let directory = directory();
    let report = |what: &str, goal: Duration, old: Option<&Arc<RoleMap>>, every: bool| {
        let most = if every { usize::MAX } else { MOST };
        let (found, told) = best(what, goal, 3, || {
            let found = whole(old, &new, &directory, most);
            let told = told(&found, every);
            (found, told)
        });
        counts(&found, &told);
    };
    report("preview with every statement", GOAL, Some(&old), true);
    report("preview of a first map", GOAL, None, false);
    designed::end();
    // Everybody gains: some hundred thousand statements, told three times over. Its figure is published without a goal.
    report("preview of a first map, every statement", GOAL, None, true);
}
