//! Who there is, and what each of them ought to have: reckoned by the stories themselves, with nothing of the product.

use std::fmt::Write as _;

use axon_emulator::session::Session;
use axon_model::{GroupId, UserId};
use time::OffsetDateTime;

/// Permissions as bits: three actions on each of three tables.
pub type Powers = u16;
/// Roles as bits.
pub type Roles = u8;

/// How many roles there are.
pub const ROLES: usize = 3;
/// How many groups there are.
pub const GROUPS: usize = 4;
/// How many names there are for people.
pub const NAMES: usize = 8;
/// The words of the actions.
pub const ACTIONS: [&str; 3] = ["select", "insert", "update"];
/// The tables.
pub const TABLES: [&str; 3] = ["sales.orders", "sales.regions", "hr.people"];

/// The permission of a bit, as T-SQL and the role map say it.
pub fn power(bit: usize) -> String {
    format!("{} on {}", ACTIONS[bit % 3], TABLES[bit / 3])
}

/// A person. Whoever left stays here, to be looked at.
pub struct Human {
    /// The id of the person's object in the tenant, which is the SID in the pool.
    pub object: String,
    /// The person's name, which another one may get after this one left.
    pub upn: String,
    /// The SCIM id, while the person is pushed.
    pub scim: Option<UserId>,
    /// The same, also when they are gone; none for whoever never was pushed.
    pub user: Option<UserId>,
    /// Whether the person is active.
    pub active: bool,
    /// A session of theirs in the pool.
    pub session: Option<Session>,
    /// Under which name they entered.
    pub entered_as: String,
    /// Since when they are not there: since the first time that no finished run came between.
    pub left: Option<OffsetDateTime>,
}

impl Human {
    /// Whether they have a session.
    pub fn is_in(&self) -> bool {
        self.session.as_ref().is_some_and(|session| !session.closed())
    }

    /// Whether the directory has this person, and active.
    pub const fn is_active(&self) -> bool {
        self.active && self.scim.is_some()
    }
}

/// A group.
#[derive(Debug, Clone)]
pub struct Group {
    /// Its SCIM id.
    pub scim: GroupId,
    /// Whether it bears the name that the map speaks of.
    pub named: bool,
    /// Its members, by place among the people.
    pub members: Vec<usize>,
}

/// What a map says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Map {
    /// What each role gives.
    pub grants: [Powers; ROLES],
    /// Which roles each group gives.
    pub gives: [Roles; GROUPS],
    /// How many removals a window takes before they are held; none for no such guard.
    pub budget: Option<u8>,
    /// After how many minutes the user of somebody who left is dropped; else after a month, which no story lasts.
    pub tombstones: Option<u8>,
}

impl Map {
    /// The text of the map.
    pub fn text(&self) -> String {
        let mut text = String::from(
            "axon: 1\ntargets:\n  warehouse:\n    kind: synapse-dedicated\n    host: 127.0.0.1\n    database: dw\n    \
             auth: { token-file: t }\n    tls: off\n    mode: authoritative\n    object_id: \"{externalId}\"\n    \
             role_name: \"axon_{role}\"\n    manage: { roles: [\"axon_*\"], schemas: [], principals: mapped }\nroles:\n",
        );
        for (role, powers) in self.grants.iter().enumerate() {
            let lines: Vec<String> = (0..9)
                .filter(|bit| powers & (1 << bit) != 0)
                .map(|bit| format!("{:?}", power(bit)))
                .collect();
            let _ = writeln!(text, "  r{role}: {{ grants: {{ warehouse: [{}] }} }}", lines.join(", "));
        }
        text.push_str("mappings:\n");
        for (group, roles) in self.gives.iter().enumerate() {
            let names: Vec<String> =
                (0..ROLES).filter(|r| roles & (1 << r) != 0).map(|r| format!("r{r}")).collect();
            if !names.is_empty() {
                let _ = writeln!(
                    text,
                    "  - {{ groups: {{ any: [G{group}] }}, source: entra, roles: [{}] }}",
                    names.join(", ")
                );
            }
        }
        if self.budget.is_some() || self.tombstones.is_some() {
            text.push_str("guards:\n");
        }
        if let Some(floor) = self.budget {
            let _ = writeln!(
                text,
                "  removals: {{ window: 24h, most: 1%, floor: {floor} }}\n  \
                 leavers: {{ window: 24h, most: 1%, floor: 3 }}"
            );
        }
        if let Some(minutes) = self.tombstones {
            let _ = writeln!(text, "  tombstones: {minutes}m");
        }
        text
    }

    /// What these roles give together.
    pub fn powers_of(&self, roles: Roles) -> Powers {
        (0..ROLES).filter(|r| roles & (1 << r) != 0).fold(0, |all, r| all | self.grants[r])
    }
}

/// The roles that a person ought to have.
pub fn roles_of(map: &Map, groups: &[Group], who: usize, human: &Human) -> Roles {
    if !human.is_active() {
        return 0;
    }
    let of = |(n, group): (usize, &Group)| {
        if group.named && group.members.contains(&who) { map.gives[n] } else { 0 }
    };
    groups.iter().enumerate().map(of).fold(0, |all, roles| all | roles)
}
