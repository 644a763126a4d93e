//! The state of the pool's database: principals, members, permissions, schemas, objects, logins.
//!
//! Plain data with its indexes kept right. What may be done, and by whom, is decided in [`crate::execute`] and
//! [`crate::permissions`]; nothing here refuses anything.

pub mod name;
pub mod object;
pub mod permission;
pub mod policy;
pub mod principal;
pub mod saved;
pub mod seed;
pub mod server;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use time::PrimitiveDateTime;

use name::fold;
use object::{Classifier, Object, Schema};
use permission::{Action, PermissionKey, Securable, State};
use principal::{Login, Principal};
use server::Server;

/// One row of `sys.database_permissions`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Permission {
    /// What identifies it.
    pub key: PermissionKey,
    /// What it says.
    pub state: State,
}

/// The whole state. Cheap to read, cloned only when it is changed while a query still reads it.
#[derive(Debug, Clone)]
pub struct Catalog {
    database: String,
    principals: BTreeMap<i32, Principal>,
    principal_names: HashMap<String, i32>,
    principal_sids: HashMap<Vec<u8>, i32>,
    members: BTreeSet<(i32, i32)>,
    roles_of: BTreeSet<(i32, i32)>,
    permissions: BTreeMap<PermissionKey, State>,
    schemas: BTreeMap<i32, Schema>,
    objects: BTreeMap<i32, Object>,
    object_names: HashMap<(i32, String), i32>,
    /// Objects that are security policies, which every read of a table asks for.
    policies: BTreeSet<i32>,
    logins: BTreeMap<i32, Login>,
    classifiers: BTreeMap<i32, Classifier>,
    credentials: BTreeMap<i32, String>,
    server: Server,
    result_set_caching: bool,
    next_principal: i32,
    next_schema: i32,
    next_object: i32,
    next_login: i32,
    next_classifier: i32,
    revision: u64,
}

impl Catalog {
    /// A database with what every pool is born with; see [`seed`].
    pub fn new(database: &str, now: PrimitiveDateTime) -> Self {
        let mut catalog = Self {
            database: database.to_owned(),
            principals: BTreeMap::new(),
            principal_names: HashMap::new(),
            principal_sids: HashMap::new(),
            members: BTreeSet::new(),
            roles_of: BTreeSet::new(),
            permissions: BTreeMap::new(),
            schemas: BTreeMap::new(),
            objects: BTreeMap::new(),
            object_names: HashMap::new(),
            policies: BTreeSet::new(),
            logins: BTreeMap::new(),
            classifiers: BTreeMap::new(),
            credentials: BTreeMap::new(),
            server: Server::default(),
            result_set_caching: false,
            next_principal: 5,
            next_schema: 5,
            next_object: 245_575_913,
            next_login: server::FIRST_GIVEN,
            next_classifier: 1,
            revision: 0,
        };
        seed::fill(&mut catalog, now);
        catalog
    }

    /// Name of the database.
    pub fn database(&self) -> &str {
        &self.database
    }

    /// Counts changes: equal revisions mean equal content.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    // Principals.

    /// All principals, by id.
    pub fn principals(&self) -> impl Iterator<Item = &Principal> {
        self.principals.values()
    }

    /// The principal with this id.
    pub fn principal(&self, id: i32) -> Option<&Principal> {
        self.principals.get(&id)
    }

    /// The principal of this name (users and roles share one namespace).
    pub fn principal_named(&self, name: &str) -> Option<&Principal> {
        self.principals.get(self.principal_names.get(&fold(name))?)
    }

    /// The principal with this security id.
    pub fn principal_with_sid(&self, sid: &[u8]) -> Option<&Principal> {
        self.principals.get(self.principal_sids.get(sid)?)
    }

    /// Adds or replaces a principal under its id.
    pub fn put_principal(&mut self, principal: Principal) {
        self.revision += 1;
        self.forget_principal(principal.id);
        if let Some(sid) = &principal.sid {
            self.principal_sids.insert(sid.clone(), principal.id);
        }
        self.principal_names.insert(fold(&principal.name), principal.id);
        self.principals.insert(principal.id, principal);
    }

    /// An id for a new principal.
    pub fn take_principal_id(&mut self) -> i32 {
        let id = self.next_principal;
        self.next_principal += 1;
        id
    }

    /// Removes a principal with its memberships, the rows given to it and the rows on it.
    pub fn remove_principal(&mut self, id: i32) {
        self.revision += 1;
        self.forget_principal(id);
        let roles: Vec<i32> = self.roles_of(id).collect();
        let members: Vec<i32> = self.members_of(id).collect();
        for role in roles {
            self.drop_member(role, id);
        }
        for member in members {
            self.drop_member(id, member);
        }
        let given: Vec<PermissionKey> = self.permissions_of(id).map(|permission| permission.key).collect();
        for key in given {
            self.remove_permission(&key);
        }
        self.remove_permissions_on(Securable::principal(id));
    }

    fn forget_principal(&mut self, id: i32) {
        if let Some(old) = self.principals.remove(&id) {
            self.principal_names.remove(&fold(&old.name));
            if let Some(sid) = &old.sid {
                self.principal_sids.remove(sid);
            }
        }
    }

    // Members.

    /// All memberships as (role, member).
    pub fn members(&self) -> impl Iterator<Item = (i32, i32)> {
        self.members.iter().copied()
    }

    /// Members of one role, not those of its member roles.
    pub fn members_of(&self, role: i32) -> impl Iterator<Item = i32> {
        self.members.range((role, i32::MIN)..=(role, i32::MAX)).map(|(_, member)| *member)
    }

    /// Roles that one principal is directly a member of.
    pub fn roles_of(&self, member: i32) -> impl Iterator<Item = i32> {
        self.roles_of.range((member, i32::MIN)..=(member, i32::MAX)).map(|(_, role)| *role)
    }

    /// Whether `member` is directly a member of `role`.
    pub fn is_member(&self, role: i32, member: i32) -> bool {
        self.members.contains(&(role, member))
    }

    /// Adds a membership.
    pub fn add_member(&mut self, role: i32, member: i32) {
        self.revision += 1;
        self.members.insert((role, member));
        self.roles_of.insert((member, role));
    }

    /// Removes a membership.
    pub fn drop_member(&mut self, role: i32, member: i32) {
        self.revision += 1;
        self.members.remove(&(role, member));
        self.roles_of.remove(&(member, role));
    }

    // Permissions.

    /// All rows, one grantee's together.
    pub fn permissions(&self) -> impl Iterator<Item = Permission> {
        self.permissions.iter().map(|(key, state)| Permission { key: *key, state: *state })
    }

    /// The rows of one grantee.
    pub fn permissions_of(&self, grantee: i32) -> impl Iterator<Item = Permission> {
        self.permissions
            .range(first_key(grantee)..)
            .take_while(move |(key, _)| key.grantee == grantee)
            .map(|(key, state)| Permission { key: *key, state: *state })
    }

    /// The row with this key.
    pub fn permission(&self, key: &PermissionKey) -> Option<State> {
        self.permissions.get(key).copied()
    }

    /// What the grantors of one grantee said of one permission on one securable.
    pub fn states(
        &self,
        grantee: i32,
        securable: Securable,
        action: Action,
    ) -> impl Iterator<Item = (i32, State)> {
        let key = |grantor| PermissionKey { grantee, securable, action, grantor };
        self.permissions.range(key(i32::MIN)..=key(i32::MAX)).map(|(key, state)| (key.grantor, *state))
    }

    /// One grantee's rows on a securable; for an object those on its columns too.
    pub fn permissions_on(&self, grantee: i32, securable: Securable) -> impl Iterator<Item = Permission> {
        let key = |minor, action, grantor| PermissionKey {
            grantee,
            securable: Securable { minor, ..securable },
            action,
            grantor,
        };
        self.permissions
            .range(key(0, Action::Control, i32::MIN)..)
            .take_while(move |(key, _)| {
                key.grantee == grantee
                    && key.securable.class == securable.class
                    && key.securable.major == securable.major
            })
            .map(|(key, state)| Permission { key: *key, state: *state })
    }

    /// Adds or replaces a row.
    pub fn put_permission(&mut self, key: PermissionKey, state: State) {
        self.revision += 1;
        self.permissions.insert(key, state);
    }

    /// Removes a row.
    pub fn remove_permission(&mut self, key: &PermissionKey) {
        self.revision += 1;
        self.permissions.remove(key);
    }

    /// Removes every row on a securable; for an object those of its columns too.
    pub fn remove_permissions_on(&mut self, securable: Securable) {
        self.revision += 1;
        self.permissions.retain(|key, _| {
            key.securable.class != securable.class || key.securable.major != securable.major
        });
    }

    // Schemas.

    /// All schemas, by id.
    pub fn schemas(&self) -> impl Iterator<Item = &Schema> {
        self.schemas.values()
    }

    /// The schema with this id.
    pub fn schema(&self, id: i32) -> Option<&Schema> {
        self.schemas.get(&id)
    }

    /// The schema of this name.
    pub fn schema_named(&self, name: &str) -> Option<&Schema> {
        let folded = fold(name);
        self.schemas.values().find(|schema| fold(&schema.name) == folded)
    }

    /// Adds or replaces a schema under its id.
    pub fn put_schema(&mut self, schema: Schema) {
        self.revision += 1;
        self.schemas.insert(schema.id, schema);
    }

    /// An id for a new schema.
    pub fn take_schema_id(&mut self) -> i32 {
        let id = self.next_schema;
        self.next_schema += 1;
        id
    }

    /// Removes a schema and the rows on it.
    pub fn remove_schema(&mut self, id: i32) {
        self.schemas.remove(&id);
        self.remove_permissions_on(Securable::schema(id));
    }

    // Objects.

    /// All tables, views and modules, by id.
    pub fn objects(&self) -> impl Iterator<Item = &Object> {
        self.objects.values()
    }

    /// The object with this id.
    pub fn object(&self, id: i32) -> Option<&Object> {
        self.objects.get(&id)
    }

    /// The object of this name in a schema.
    pub fn object_named(&self, schema: i32, name: &str) -> Option<&Object> {
        self.objects.get(self.object_names.get(&(schema, fold(name)))?)
    }

    /// Adds or replaces an object under its id.
    pub fn put_object(&mut self, object: Object) {
        self.revision += 1;
        if let Some(old) = self.objects.get(&object.id) {
            self.object_names.remove(&(old.schema, fold(&old.name)));
        }
        self.object_names.insert((object.schema, fold(&object.name)), object.id);
        if object.policy.is_some() {
            self.policies.insert(object.id);
        }
        self.objects.insert(object.id, object);
    }

    /// An id for a new object.
    pub fn take_object_id(&mut self) -> i32 {
        let id = self.next_object;
        self.next_object += 16;
        id
    }

    /// Removes an object and the rows on it.
    pub fn remove_object(&mut self, id: i32) {
        if let Some(object) = self.objects.remove(&id) {
            self.object_names.remove(&(object.schema, fold(&object.name)));
            self.policies.remove(&id);
        }
        self.remove_permissions_on(Securable::object(id));
    }

    /// Who owns an object: its own owner, else its schema's.
    pub fn owner_of(&self, object: &Object) -> i32 {
        object
            .owner
            .or_else(|| self.schemas.get(&object.schema).map(|schema| schema.owner))
            .unwrap_or(principal::DBO)
    }

    // Logins and classifiers.

    /// All logins of the server, by id.
    pub fn logins(&self) -> impl Iterator<Item = &Login> {
        self.logins.values()
    }

    /// The login of this name.
    pub fn login_named(&self, name: &str) -> Option<&Login> {
        let folded = fold(name);
        self.logins.values().find(|login| fold(&login.name) == folded)
    }

    /// Adds or replaces a login under its id.
    pub fn put_login(&mut self, login: Login) {
        self.revision += 1;
        self.logins.insert(login.id, login);
    }

    /// The id that the next new login gets.
    pub fn next_login_id(&self) -> i32 {
        self.next_login
    }

    /// An id for a new login.
    pub fn take_login_id(&mut self) -> i32 {
        let id = self.next_login;
        self.next_login += 1;
        id
    }

    /// Removes a login. Users made for it stay, as orphans.
    pub fn remove_login(&mut self, id: i32) {
        self.revision += 1;
        self.logins.remove(&id);
        self.server.forget_login(id);
    }

    // Options, server and credentials.

    /// `is_result_set_caching_on`
    pub fn result_set_caching(&self) -> bool {
        self.result_set_caching
    }

    /// Switches the cache of results on or off.
    pub fn set_result_set_caching(&mut self, on: bool) {
        self.revision += 1;
        self.result_set_caching = on;
    }

    /// What stands at the server beside its logins.
    pub fn server(&self) -> &Server {
        &self.server
    }

    /// The same, to be changed.
    pub fn server_mut(&mut self) -> &mut Server {
        self.revision += 1;
        &mut self.server
    }

    /// The credentials of the database, by id.
    pub fn credentials(&self) -> impl Iterator<Item = (i32, &str)> {
        self.credentials.iter().map(|(id, name)| (*id, name.as_str()))
    }

    /// The credential of the database with this name.
    pub fn credential_named(&self, name: &str) -> Option<i32> {
        self.credentials.iter().find(|(_, known)| name::same(known, name)).map(|(id, _)| *id)
    }

    /// Adds a credential of the database.
    pub fn add_credential(&mut self, name: &str) {
        self.revision += 1;
        let id = self.credentials.keys().next_back().map_or(65536, |last| last + 1);
        self.credentials.insert(id, name.to_owned());
    }

    /// Removes a credential of the database.
    pub fn remove_credential(&mut self, id: i32) {
        self.revision += 1;
        self.credentials.remove(&id);
    }

    /// All workload classifiers, by id.
    pub fn classifiers(&self) -> impl Iterator<Item = &Classifier> {
        self.classifiers.values()
    }

    /// The workload classifier of this name.
    pub fn classifier_named(&self, name: &str) -> Option<&Classifier> {
        self.classifiers.values().find(|classifier| name::same(&classifier.name, name))
    }

    /// Adds a classifier under its id.
    pub fn put_classifier(&mut self, classifier: Classifier) {
        self.revision += 1;
        self.classifiers.insert(classifier.id, classifier);
    }

    /// An id for a new classifier.
    pub fn take_classifier_id(&mut self) -> i32 {
        let id = self.next_classifier;
        self.next_classifier += 1;
        id
    }

    /// Removes a classifier.
    pub fn remove_classifier(&mut self, id: i32) {
        self.revision += 1;
        self.classifiers.remove(&id);
    }
}

/// The smallest key that one grantee can have.
fn first_key(grantee: i32) -> PermissionKey {
    PermissionKey {
        grantee,
        securable: Securable { class: permission::Class::Database, major: i32::MIN, minor: i32::MIN },
        action: Action::Control,
        grantor: i32::MIN,
    }
}
