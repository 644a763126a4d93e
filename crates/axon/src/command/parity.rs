//! `axon parity`: what identity providers hold beside what they pushed. It reads; nothing is written, and nothing waits because of it.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::bail;
use axon_azure::parity::Slow;
use axon_model::SourceId;
use axon_store::stored::shown_instant;
use serde_json::{Value, json};

use super::{Status, print_json};
use crate::cli::ParityArgs;
use crate::maps;
use crate::parity::{Asked, Extent, Kept, ServiceReport, grace, look, mapped, services, upstreams};
use crate::wiring::Parts;

/// Looks, and shows what differs; 3 where anything does.
pub async fn run(parts: Parts, args: &ParityArgs) -> anyhow::Result<Status> {
    let status = told(&parts, args).await;
    parts.store.close().await;
    status
}

async fn told(parts: &Parts, args: &ParityArgs) -> anyhow::Result<Status> {
    if let Some(source) = &args.source
        && !parts.config.sources.contains_key(source)
    {
        bail!("source {source} is none of the configuration's");
    }
    let map = maps::in_force(parts).await?;
    let (mut all, mut unread) = (BTreeMap::new(), BTreeMap::new());
    for (source, upstream) in upstreams(parts, &map)? {
        if args.source.as_ref().is_some_and(|only| *only != source) {
            continue;
        }
        let mut kept = Kept::load(parts.store.as_ref(), &source).await?;
        if !args.last {
            match upstream {
                Err(why) => {
                    unread.insert(source, why);
                    continue;
                }
                Ok(upstream) => {
                    let parity = &parts.config.parity;
                    let (extent, requests) = if args.full {
                        (Extent::Full, parity.full_requests)
                    } else {
                        (Extent::Some { groups: parity.groups, people: parity.people }, parity.requests)
                    };
                    let mut slow = Slow::new(requests, parity.requests_per_minute);
                    let directory = parts.store.load_directory().await?;
                    let (upstream, now) = (upstream.as_ref(), parts.clock.now());
                    let (none, mapped) = (BTreeSet::new(), mapped(&map, &source, now));
                    let asked = Asked { extent, also: &none, mapped: &mapped };
                    look(&directory, &source, upstream, &mut kept, asked, &mut slow, now).await;
                }
            }
        }
        all.insert(source, kept);
    }
    let services =
        if args.last || args.source.is_some() { Vec::new() } else { services(parts, &map).await? };
    if all.is_empty() && unread.is_empty() && services.is_empty() {
        bail!(
            "nothing leads to an identity provider: a target with an identity of Entra does, or `parity.sources`"
        );
    }
    if args.json {
        print_json(&as_json(parts, &all, &unread, &services))?;
    } else {
        print(parts, &all, &unread, &services);
    }
    let found = all.values().any(|kept| !kept.found.is_empty())
        || services.iter().any(|service| !service.problems.is_empty());
    let failed = !unread.is_empty() || (!args.last && all.values().any(|kept| kept.trouble.is_some()));
    Ok(if found {
        Status::Found
    } else if failed {
        Status::Failed
    } else {
        Status::Done
    })
}

/// So many of a thing, in words.
fn so_many(n: u64, one: &str, many: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { many })
}

fn print(
    parts: &Parts,
    all: &BTreeMap<SourceId, Kept>,
    unread: &BTreeMap<SourceId, String>,
    services: &[ServiceReport],
) {
    for (source, why) in unread {
        println!("source {source}: cannot be compared: {why}");
    }
    for (source, kept) in all {
        println!(
            "source {source}: {} and {} compared with {}, {} differ",
            so_many(kept.looked.groups as u64, "group", "groups"),
            so_many(kept.looked.people as u64, "person", "people"),
            so_many(kept.looked.requests.into(), "request", "requests"),
            kept.found.len() + kept.more
        );
        if kept.looked.mapped > 0 {
            println!(
                "    looked for {} of the role map that the directory does not have",
                so_many(kept.looked.mapped as u64, "group", "groups")
            );
        }
        for known in kept.found.values() {
            println!("    {}: {}", known.difference.kind.as_str(), known.difference.what);
            println!("        likely lost: {}", known.difference.lost);
            let waits = match known.difference.removal {
                None => "",
                Some(_) if known.is_ripe(grace(parts)) => "; waits for a person: axon holds list",
                Some(_) => "; waits for a person when it stays so",
            };
            println!("        since {}{waits}", shown_instant(known.since));
        }
        if kept.more > 0 {
            println!("    and {} more", kept.more);
        }
        for note in &kept.notes {
            println!("    ! {note}");
        }
        if let Some(trouble) = &kept.trouble {
            println!("    ! not all of it was compared: {trouble}");
        }
        match kept.round {
            Some(round) => println!("    everything was compared once by {}", shown_instant(round)),
            None => println!("    not everything was compared yet: axon parity --full does"),
        }
    }
    for service in services {
        let ids = match (&service.object_id, &service.client_id) {
            (Some(object), Some(client)) => format!(" (object id {object}, client id {client})"),
            _ => String::new(),
        };
        println!("service {}: {}{ids}", service.service, service.principal);
        for problem in &service.problems {
            println!("    {problem}");
        }
        for note in &service.notes {
            println!("    ! {note}");
        }
    }
}

fn as_json(
    parts: &Parts,
    all: &BTreeMap<SourceId, Kept>,
    unread: &BTreeMap<SourceId, String>,
    services: &[ServiceReport],
) -> Value {
    let sources: serde_json::Map<String, Value> = all
        .iter()
        .map(|(source, kept)| {
            let differences: Vec<Value> = kept
                .found
                .values()
                .map(|known| {
                    json!({
                        "kind": known.difference.kind,
                        "what": known.difference.what,
                        "lost": known.difference.lost,
                        "removal": known.difference.removal,
                        "waits": known.difference.removal.is_some() && known.is_ripe(grace(parts)),
                        "since": shown_instant(known.since),
                        "seen": shown_instant(known.seen),
                    })
                })
                .collect();
            let value = json!({
                "differences": differences,
                "more": kept.more,
                "notes": kept.notes,
                "looked": kept.looked,
                "trouble": kept.trouble,
                "round": kept.round.map(shown_instant),
            });
            (source.to_string(), value)
        })
        .collect();
    json!({ "sources": sources, "unread": unread, "services": services })
}

#[cfg(test)]
mod tests {
    use super::so_many;

    #[test]
    fn one_of_a_thing_is_no_number_of_them() {
        let groups = [0, 1, 2].map(|n| so_many(n, "group", "groups"));
        assert_eq!(groups, ["0 groups", "1 group", "2 groups"]);
    }
}
