//! The directory and the map of the size that is designed for, and a clock: shared by the benches.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use axon_mapping::RoleMap;
use axon_model::{Delta, Directory, GroupEntry, GroupId, MemberKind, RecordSeq, UserEntry, UserId};
use time::macros::datetime;

pub const USERS: u32 = 100_000;
pub const GROUPS: u32 = 10_000;
pub const MEMBERSHIPS: u32 = 1_000_000;
const ROLES: u32 = 500;
const MAPPINGS: u32 = 2_000;
pub const NOW: time::OffsetDateTime = datetime!(2026-11-22 12:00 UTC);

/// A map; `other` changes one of a hundred mappings and one role.
pub fn text(other: bool) -> String {
    let mut text = String::from(
        "axon: 1\ntargets:\n  dw: { kind: synapse-dedicated, host: h, database: d, auth: { token-file: t }, object_id: \"{externalId}\" }\nroles:\n",
    );
    for role in 0..ROLES {
        let more = if other && role == 7 { ", update on s7.t7" } else { "" };
        writeln!(
            text,
            "  r{role}: {{ grants: {{ dw: [select on s{role}.t{role}, insert on s{role}.u{role}{more}] }} }}"
        )
        .unwrap();
    }
    text.push_str("mappings:\n");
    for n in 0..MAPPINGS {
        let role = if other && n % 100 == 1 { (n + 1) % ROLES } else { n % ROLES };
        match n % 10 {
            0 => writeln!(
                text,
                "  - {{ groups: {{ match: \"^team-{n}-(?<kind>[a-z]+)$\" }}, source: s, roles: [r{role}], trust: true }}"
            ),
            1 => writeln!(
                text,
                "  - {{ groups: {{ any: [g{}] }}, source: s, roles: [r{role}], when: 'userType eq \"Employee\" and department eq \"d3\"' }}",
                n * 5 % GROUPS
            ),
            _ => writeln!(
                text,
                "  - {{ groups: {{ any: [g{}, g{}] }}, source: s, roles: [r{role}] }}",
                n * 5 % GROUPS,
                (n * 5 + 2) % GROUPS
            ),
        }
        .unwrap();
    }
    text
}

pub fn user_id(n: u32) -> UserId {
    format!("00000000-0000-0000-0000-{n:012x}").parse().unwrap()
}

pub fn group_id(n: u32) -> GroupId {
    format!("00000000-0000-0000-1111-{n:012x}").parse().unwrap()
}

pub fn user(n: u32, kind: &str) -> UserEntry {
    UserEntry {
        id: user_id(n),
        source: "s".parse().unwrap(),
        user_name: format!("user{n}@acme.com").into(),
        external_id: Some(user_id(n).to_string().into()),
        active: true,
        document: format!(
            r#"{{"userName":"user{n}@acme.com","userType":"{kind}","displayName":"User {n}","emails":[{{"value":"user{n}@acme.com","type":"work"}}],"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{{"department":"d{}"}}}}"#,
            n % 7
        )
        .into(),
    }
}

pub fn directory() -> Directory {
    let mut directory = Directory::default();
    for n in 0..GROUPS {
        let name = if n % 50 == 0 { format!("team-{}-reader", n / 5) } else { format!("g{n}") };
        let group = GroupEntry {
            id: group_id(n),
            source: "s".parse().unwrap(),
            display_name: name.into(),
            external_id: None,
            document: "{}".into(),
        };
        directory.apply(&Delta::GroupPut { group }, RecordSeq(1));
    }
    for n in 0..USERS {
        let kind = if n % 3 == 0 { "Guest" } else { "Employee" };
        directory.apply(&Delta::UserPut { user: user(n, kind) }, RecordSeq(2));
    }
    // The same sequence of numbers each time, spread over all groups.
    let mut at: u64 = 1;
    for n in 0..MEMBERSHIPS {
        at = at.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let group = u32::try_from((at >> 33) % u64::from(GROUPS)).unwrap();
        let delta =
            Delta::MemberAdded { group: group_id(group), member: MemberKind::User(user_id(n % USERS)) };
        directory.apply(&delta, RecordSeq(3));
    }
    directory
}

static MISSED: AtomicUsize = AtomicUsize::new(0);

/// Ends the bench: a goal that was missed by every run is a failure.
pub fn end() {
    let missed = MISSED.load(Ordering::Relaxed);
    assert!(missed == 0, "{missed} goals were missed");
}

/// The best of some runs, held against a goal.
pub fn best<T>(what: &str, goal: Duration, runs: usize, mut run: impl FnMut() -> T) -> T {
    let (mut best, mut first, mut worst) = (Duration::MAX, Duration::ZERO, Duration::ZERO);
    let mut last = None;
    // The kernel counts in steps of milliseconds: what is short is taken by the clock.
    let clock = if goal >= Duration::from_millis(100) { spent } else { elapsed };
    for number in 0..runs {
        let start = clock();
        last = Some(run());
        let took = clock().saturating_sub(start);
        best = best.min(took);
        worst = worst.max(took);
        if number == 0 {
            first = took;
        }
    }
    let word = if best <= goal { "within" } else { "OVER" };
    println!("{what:<40} best {best:>9.3?}  first {first:>9.3?}  worst {worst:>9.3?}   {word} {goal:?}");
    if best > goal {
        MISSED.fetch_add(1, Ordering::Relaxed);
    }
    last.unwrap()
}

fn elapsed() -> Duration {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    START.elapsed()
}

/// The time that this thread had a core: what else the machine does is not counted. Where nobody tells, the time that went by.
fn spent() -> Duration {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let nanos = told.and_then(|text| text.split(' ').next()?.parse().ok());
    nanos.map_or_else(elapsed, Duration::from_nanos)
}

/// The most memory that this process has held so far, in MiB.
pub fn peak() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM"))?;
    line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kib| kib / 1024)
}

/// A map of a text.
pub fn parsed(text: &str) -> Arc<RoleMap> {
    Arc::new(RoleMap::parse(&[("m.yaml", text)]).unwrap_or_else(|e| panic!("{e}")))
}
