//! The probe atoms: every permission on every leaf that either side can tell apart.
//!
//! Leaves are the columns, objects and schemas that a permission names, and for each thing one leaf more that stands for
//! all its parts that nobody names. They are numbered so that a thing and its parts are one run; a permission is a plane
//! of such numbers. Memberships of fixed roles are atoms too, since nobody lists what such a role may do.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use axon_model::SqlName;

use crate::graph::GrantKey;
use crate::permission::Permission;
use crate::shape::{ObjectName, Securable};

#[derive(Debug, Default)]
pub(crate) struct Atoms {
    planes: Vec<Permission>,
    plane_of: HashMap<Permission, u32>,
    runs: HashMap<Securable, (u32, u32)>,
    /// What each leaf is, or stands for the rest of.
    leaves: Vec<Securable>,
    /// Leaves from here on are principals and credentials.
    data_end: u32,
    fixed: Vec<SqlName>,
}

impl Atoms {
    /// The atoms that these keys and fixed roles tell apart.
    pub(crate) fn new<'a>(
        keys: impl Iterator<Item = &'a GrantKey>,
        fixed: impl Iterator<Item = SqlName>,
    ) -> Self {
        let mut planes = BTreeSet::from([
            Permission::Select,
            Permission::Insert,
            Permission::Update,
            Permission::Delete,
            Permission::Control,
        ]);
        let mut named = HashSet::new();
        for key in keys {
            named.insert(key.securable);
            planes.insert(key.permission);
        }
        let fixed: BTreeSet<SqlName> = fixed.collect();
        let mut atoms = Self {
            plane_of: planes.iter().copied().zip(0..).collect(),
            planes: planes.into_iter().collect(),
            fixed: fixed.into_iter().collect(),
            ..Self::default()
        };
        atoms.number(&named);
        atoms
    }

    fn number(&mut self, named: &HashSet<Securable>) {
        let mut tree: BTreeMap<SqlName, BTreeMap<ObjectName, BTreeSet<SqlName>>> = BTreeMap::new();
        let mut others = BTreeSet::new();
        for securable in named {
            match *securable {
                Securable::Database | Securable::Server => {}
                Securable::Schema(schema) => drop(tree.entry(schema).or_default()),
                Securable::Object(object) => {
                    tree.entry(object.schema).or_default().entry(object).or_default();
                }
                Securable::Column(object, column) => {
                    tree.entry(object.schema).or_default().entry(object).or_default().insert(column);
                }
                on @ (Securable::Principal(_) | Securable::Credential(_) | Securable::Other(_)) => {
                    others.insert(on);
                }
            }
        }
        self.leaves.push(Securable::Database);
        for (schema, objects) in tree {
            let schema_from = self.leaf(Securable::Schema(schema));
            for (object, columns) in objects {
                let object_from = self.leaf(Securable::Object(object));
                for column in columns {
                    let on = Securable::Column(object, column);
                    let at = self.leaf(on);
                    self.runs.insert(on, (at, at + 1));
                }
                self.runs.insert(Securable::Object(object), (object_from, self.count()));
            }
            self.runs.insert(Securable::Schema(schema), (schema_from, self.count()));
        }
        self.data_end = self.count();
        // All principals and credentials that nobody names.
        self.leaves.push(Securable::Database);
        for on in others {
            let at = self.leaf(on);
            self.runs.insert(on, (at, at + 1));
        }
        // A target is a database or a server: each is all that is in it.
        self.runs.insert(Securable::Database, (0, self.count()));
        self.runs.insert(Securable::Server, (0, self.count()));
    }

    fn leaf(&mut self, stands_for: Securable) -> u32 {
        self.leaves.push(stands_for);
        self.count() - 1
    }

    fn count(&self) -> u32 {
        u32::try_from(self.leaves.len()).unwrap_or(u32::MAX)
    }

    /// The runs of a permission on a thing with all its parts; CONTROL is every permission.
    pub(crate) fn runs(&self, permission: Permission, on: &Securable, into: &mut Vec<(u32, u32)>) {
        let Some(run) = self.runs.get(on) else { return };
        if matches!(permission, Permission::Control | Permission::ControlServer) {
            (0..self.planes.len()).for_each(|plane| into.push(self.shifted(plane, *run)));
        } else if let Some(plane) = self.plane_of.get(&permission) {
            into.push(self.shifted(*plane as usize, *run));
        }
    }

    /// The runs of a permission on all tables and views.
    pub(crate) fn on_all_data(&self, permission: Permission, into: &mut Vec<(u32, u32)>) {
        if let Some(plane) = self.plane_of.get(&permission) {
            into.push(self.shifted(*plane as usize, (0, self.data_end)));
        }
    }

    /// The run of being in a fixed role.
    pub(crate) fn in_fixed_role(&self, role: SqlName) -> Option<(u32, u32)> {
        let at = self.fixed.binary_search(&role).ok()?;
        let at = self.count() * u32::try_from(self.planes.len()).ok()? + u32::try_from(at).ok()?;
        Some((at, at + 1))
    }

    fn shifted(&self, plane: usize, run: (u32, u32)) -> (u32, u32) {
        let shift = self.count().saturating_mul(u32::try_from(plane).unwrap_or(u32::MAX));
        (shift.saturating_add(run.0), shift.saturating_add(run.1))
    }

    /// The atom as people read it.
    pub(crate) fn shown(&self, atom: u32) -> String {
        let (plane, leaf) = (atom / self.count(), (atom % self.count()) as usize);
        if let Some(permission) = self.planes.get(plane as usize) {
            return format!("{permission} on {}", self.leaves[leaf]);
        }
        let first = self.count() as usize * self.planes.len();
        let role = self.fixed.get(atom as usize - first);
        role.map_or_else(|| "a fixed role".into(), |role| format!("membership of {role}"))
    }
}
