//! A SQL pool: reach, login, clock, permissions, probes, figures.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use axon_controller::capabilities_key;
use axon_mapping::target::{TargetKind, Tls};
use axon_mapping::{RoleMap, TargetSpec};
use axon_model::{Clock as _, SystemClock};
use axon_reconcile::{InspectScope, Inspection, Target as _};
use axon_synapse::{Answer, Greeting, Probes, Sight, SynapseTarget, lacking};
use serde_json::json;

use super::pace;
use super::remedy;
use super::report::Report;
use crate::cli::DoctorArgs;
use crate::config::Config;
use crate::wiring::{self, Parts};

/// Clocks that differ by more make tokens look expired or not yet valid.
const MOST_SKEW: Duration = Duration::from_mins(5);
/// How often each call is measured.
const TRIES: usize = 15;

/// Looks at one pool.
pub async fn look(
    config: &Config,
    parts: Option<&Parts>,
    map: &RoleMap,
    spec: &TargetSpec,
    args: &DoctorArgs,
    report: &mut Report,
) {
    let area = format!("target {}", spec.name);
    let pool = match wiring::pool_of(config, map, &spec.name) {
        Ok(pool) => pool,
        Err(error) => return report.found(&area, format!("{error:#}"), remedy::WIRING),
    };
    let greeting = match pool.greet().await {
        Ok(greeting) => greeting,
        Err(error) => return report.found(&area, error.to_string(), remedy::against(&error, spec)),
    };
    if !at_the_door(&pool, spec, &greeting, &area, report) {
        return;
    }
    let started = Instant::now();
    match pool.inspect(InspectScope::Full).await {
        Ok(seen) => {
            catalog(&pool, &seen, started.elapsed(), &area, report);
            sight(&pool, spec, &area, report).await;
        }
        Err(error) => report.found(&area, error.to_string(), remedy::against(&error, spec)),
    }
    probes(&pool, (parts, &config.capabilities), spec, &greeting, args.probe, report).await;
    if args.calibrate {
        let seen = pace::Place { parts, config, map, spec };
        calibrate(&pool, &seen, &area, report).await;
    }
}

/// What the login alone tells. False where it is another kind of server.
fn at_the_door(
    pool: &SynapseTarget,
    spec: &TargetSpec,
    greeting: &Greeting,
    area: &str,
    report: &mut Report,
) -> bool {
    report.detail(area, "version", json!(greeting.version));
    report.detail(area, "edition", json!(greeting.edition));
    report.detail(area, "principal", json!(greeting.own));
    report.detail(area, "login_ms", json!(greeting.login.as_millis()));
    let tls = match spec.sql_server().map(|server| &server.tls) {
        Some(Tls::Off) => "without TLS, on this machine only",
        _ => "over TLS, the server's certificate verified",
    };
    report.well(
        area,
        format!(
            "logged in as {} in {} ms, {tls}; {}",
            greeting.own,
            greeting.login.as_millis(),
            greeting.version
        ),
    );
    match greeting.dialect() {
        Some(found) if pool.dialect().contradicts(greeting.edition) => {
            let kind = match spec.kind {
                TargetKind::SynapseServerless => TargetKind::SynapseDedicated,
                _ => TargetKind::SynapseServerless,
            };
            let says = format!(
                "EngineEdition {} is {}, and the role map says {}",
                greeting.edition,
                found.name(),
                spec.kind
            );
            report.found(
                area,
                says,
                format!(
                    "write kind: {kind}, or the host of the other pool (serverless ones end in -ondemand)"
                ),
            );
            return false;
        }
        None => {
            let says = format!("EngineEdition {} is no kind of pool that Axon knows", greeting.edition);
            report.found(area, says, "check `host`: Axon was made for dedicated (6) and serverless (11) pools; on others try mode: observe first");
        }
        Some(_) => {}
    }
    let skew = (SystemClock.now() - greeting.clock.assume_utc()).unsigned_abs();
    report.detail(area, "clock_skew_seconds", json!(skew.as_secs()));
    if skew > MOST_SKEW {
        let says = format!("its clock and this machine's are {} s apart", skew.as_secs());
        report.found(area, says, "set this machine's clock by NTP: tokens are checked by it");
    } else {
        report.well(area, "its clock and this machine's agree");
    }
    if !pool.connection().auth.is_entra() && spec.manage.only_existing {
        report.well(area, "the login is a SQL one, and the map leaves it to others to make users (33159)");
    } else if !pool.connection().auth.is_entra() {
        report.found(
            area,
            "the login is a SQL one: it cannot create principals of the directory (33159)",
            "write `auth` with an Entra identity (token-file, token-command, managed-identity, …) in the role map",
        );
    }
    true
}

fn catalog(pool: &SynapseTarget, seen: &Inspection, took: Duration, area: &str, report: &mut Report) {
    let graph = &seen.graph;
    let figures = json!({ "principals": graph.principals.len(), "roles": graph.roles.len(),
        "memberships": graph.members.len(), "grants": graph.grants.len(),
        "objects": seen.shape.objects.len(), "inspect_ms": took.as_millis() });
    report.well(
        area,
        format!(
            "the catalog holds {} principals, {} roles, {} memberships, {} grants; read in {} ms",
            graph.principals.len(),
            graph.roles.len(),
            graph.members.len(),
            graph.grants.len(),
            took.as_millis()
        ),
    );
    report.detail(area, "statistics", figures);
    let lacks = lacking(seen, pool.connection().database, pool.dialect());
    for lack in &lacks {
        let says = format!("{} lacks {}: {}", seen.facts.own_principal, lack.what, lack.so);
        report.found(
            area,
            says,
            format!("let an administrator of the database run: {}", lack.remedy.as_str()),
        );
    }
    if lacks.is_empty() {
        report.well(area, format!("{} has the permissions that Axon needs", seen.facts.own_principal));
    }
    // What a lack explains is told already.
    for unseen in seen.unseen.iter().filter(|line| lacks.is_empty() || !line.contains("VIEW DEFINITION")) {
        report.found(area, unseen.clone(), remedy::UNSEEN);
    }
}

/// Whether the sessions of others are seen where the catalog does not tell it.
async fn sight(pool: &SynapseTarget, spec: &TargetSpec, area: &str, report: &mut Report) {
    match pool.sight().await {
        Ok(sight) => tell_sight(sight, area, report),
        Err(error) => report.found(area, error.to_string(), remedy::against(&error, spec)),
    }
}

fn tell_sight(sight: Option<Sight>, area: &str, report: &mut Report) {
    match sight {
        // What a missing permission explains is told already.
        None | Some(Sight::Blind) => {}
        Some(Sight::Sees) => report.well(area, "the sessions of others are seen"),
        Some(Sight::Unproven) => report.found(
            area,
            "whether the sessions of others are seen is not proven: only Axon's own are, and no page says whether VIEW DATABASE STATE \
             is enough in a serverless pool; sessions of a leaver that are not seen are not ended",
            "look again while somebody else is in; or let a Synapse SQL administrator run in master: GRANT VIEW SERVER STATE TO \
             [the login that Axon enters with]",
        ),
    }
}

async fn probes(
    pool: &SynapseTarget,
    (parts, said): (Option<&Parts>, &BTreeMap<String, BTreeMap<String, bool>>),
    spec: &TargetSpec,
    greeting: &Greeting,
    again: bool,
    report: &mut Report,
) {
    let area = format!("target {}", spec.name);
    let kept = match parts {
        Some(parts) if !again => {
            parts.store.summary(&capabilities_key(spec.name.as_str())).await.ok().flatten()
        }
        _ => None,
    };
    let kept = kept
        .and_then(|(value, at)| Some((serde_json::from_value::<Probes>(value).ok()?, at)))
        .filter(|(kept, _)| kept.is_of(greeting));
    let (probes, from) = if let Some((kept, at)) = kept {
        let age = (SystemClock.now() - at).max(time::Duration::ZERO);
        report.detail(&area, "probes_age_seconds", json!(age.whole_seconds()));
        (kept, format!("remembered), asked {} ago", told(age)))
    } else {
        let probes = match pool.probe().await {
            Ok(probes) => probes,
            Err(error) => return report.found(&area, error.to_string(), remedy::against(&error, spec)),
        };
        if let (true, Some(parts), Ok(value)) = (probes.last(), parts, serde_json::to_value(&probes)) {
            let now = parts.clock.now();
            if let Err(error) =
                parts.store.save_summary(&capabilities_key(spec.name.as_str()), value, now).await
            {
                report.found(&area, format!("what it can do is not remembered: {error}"), "axon store check");
            }
        }
        (probes, "asked now)".to_owned())
    };
    let of = |answer: Answer| {
        let names: Vec<&str> =
            probes.probes.iter().filter(|p| p.answer == answer).map(|p| p.name.as_str()).collect();
        if names.is_empty() { "nothing".to_owned() } else { names.join(", ") }
    };
    let mut says = format!("probes ({from}\nyes: {}\nno: {}", of(Answer::Yes), of(Answer::No));
    for (answer, word) in [(Answer::Forbidden, "forbidden"), (Answer::Unclear, "unclear")] {
        if probes.probes.iter().any(|p| p.answer == answer) {
            // Writing to a String cannot fail.
            let _ = write!(says, "\n{word}: {}", of(answer));
        }
    }
    report.well(&area, says);
    if let Some(said) = said.get(spec.name.as_str()).filter(|said| !said.is_empty()) {
        let words: Vec<String> =
            said.iter().map(|(name, can)| format!("{name}: {}", if *can { "yes" } else { "no" })).collect();
        report.well(&area, format!("the configuration says instead: {}", words.join(", ")));
    }
    if probes
        .probes
        .iter()
        .any(|p| matches!(p.name.as_str(), "external-user" | "external-login") && p.is_directory_trouble())
    {
        report.found(
            &area,
            "the server cannot look names up in the directory (33134): no principal can be created",
            "give the identity of the server or workspace the role Directory Readers in Entra; if it has it, the directory \
             may be slow: look again in some minutes",
        );
    }
    let can = |name: &str| said.get(spec.name.as_str()).and_then(|said| said.get(name)).copied();
    let lake = probes.probes.iter().any(|p| p.name == "own-metadata" && p.answer == Answer::No);
    if lake && can("own-metadata").is_none() {
        report.found(
            &area,
            "it is a lake database: it takes no users, roles or grants, and Axon sends none",
            "give access at the server (a target with `database: master`), or by a database beside it whose views read it",
        );
    }
    if let Ok(value) = serde_json::to_value(&probes.probes) {
        report.detail(&area, "probes", value);
    }
}

/// An age in the largest unit that it fills.
fn told(age: time::Duration) -> String {
    match age.whole_seconds() {
        s if s < 120 => format!("{s} s"),
        s if s < 7_200 => format!("{} min", s / 60),
        s if s < 172_800 => format!("{} h", s / 3_600),
        s => format!("{} days", s / 86_400),
    }
}

async fn calibrate(pool: &SynapseTarget, place: &pace::Place<'_>, area: &str, report: &mut Report) {
    match pool.calibrate(TRIES).await {
        Ok(measured) => {
            let micros = |d: Duration| u64::try_from(d.as_micros()).unwrap_or(u64::MAX);
            let mut figures = serde_json::Map::new();
            for latency in &measured {
                let (median, longest) = (micros(latency.median()), micros(latency.longest()));
                let says = format!(
                    "{} takes {} µs, at most {} µs in {} tries",
                    latency.what,
                    median,
                    longest,
                    latency.took.len()
                );
                report.well(area, says);
                figures
                    .insert(latency.what.to_owned(), json!({ "median_us": median, "longest_us": longest }));
            }
            report.detail(area, "latencies", figures.into());
            pace::proposals(&measured, place, area, report).await;
        }
        Err(error) => report.found(area, error.to_string(), remedy::against(&error, place.spec)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(sight: Option<Sight>) -> Report {
        let mut report = Report::default();
        tell_sight(sight, "target warehouse", &mut report);
        report
    }

    #[test]
    fn sessions_that_nobody_proved_to_be_seen_are_told_with_what_helps() {
        assert!(told(None).is_sound() && told(Some(Sight::Blind)).is_sound());
        let seen = told(Some(Sight::Sees));
        assert!(seen.is_sound() && seen.to_string().contains("the sessions of others are seen"), "{seen}");
        let unproven = told(Some(Sight::Unproven));
        assert!(!unproven.is_sound());
        assert!(unproven.to_string().contains("GRANT VIEW SERVER STATE TO"), "{unproven}");
    }
}
