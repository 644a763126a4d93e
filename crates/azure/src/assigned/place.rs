//! What a place of assigned roles can do: list definitions and rows, put a row, delete a row.

use async_trait::async_trait;
use axon_model::SqlName;
use axon_model::name::fold;

use super::Notes;
use super::pages::PageRead;
use super::roster::Who;
use crate::entra::EntryKind;
use crate::guid::Guid;
use crate::service::{Service, ServiceFault};

/// One role that can be assigned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Definition {
    /// Its id.
    pub(crate) id: Guid,
    /// Its name as the service gives it now.
    pub(crate) name: String,
    /// Whether the service made it.
    pub(crate) built_in: bool,
    /// What it allows, for the proof that it is in effect and for comparing custom roles.
    pub(crate) allows: Allows,
}

/// What a role allows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Allows {
    pub(crate) actions: Vec<String>,
    pub(crate) not_actions: Vec<String>,
    pub(crate) data_actions: Vec<String>,
    pub(crate) not_data_actions: Vec<String>,
}

/// All roles that can be assigned.
#[derive(Debug, Clone, Default)]
pub(crate) struct Definitions {
    all: Vec<Definition>,
}

impl Definitions {
    pub(crate) fn new(all: Vec<Definition>) -> Self {
        Self { all }
    }

    /// The roles of a name, letter case apart: a custom role may have the name of another one.
    pub(crate) fn named<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a Definition> + use<'a> {
        let name = fold(name);
        self.all.iter().filter(move |definition| fold(&definition.name) == name)
    }

    pub(crate) fn of(&self, id: Guid) -> Option<&Definition> {
        self.all.iter().find(|definition| definition.id == id)
    }

    pub(crate) fn all(&self) -> &[Definition] {
        &self.all
    }
}

/// One assignment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    /// What it is deleted by.
    pub(crate) id: String,
    /// The role.
    pub(crate) role: Guid,
    /// Who has it.
    pub(crate) principal: Guid,
    /// What the row says that they are.
    pub(crate) kind: Option<EntryKind>,
    /// Where.
    pub(crate) scope: String,
    /// Whether it holds under a condition only.
    pub(crate) conditional: bool,
}

/// A role in one scope.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct RoleAt {
    /// The definition.
    pub(crate) role: Guid,
    /// The scope, folded as the service compares it.
    pub(crate) scope: String,
}

/// What a list of rows gave.
#[derive(Debug, Clone, Default)]
pub(crate) struct Listing {
    /// Rows of scopes that this target manages.
    pub(crate) rows: Vec<Row>,
    /// Principals who administer the place by rows of a wider scope, which are never touched.
    pub(crate) inherited_administrators: Vec<Guid>,
    /// What of it could not be seen or judged.
    pub(crate) notes: Notes,
    /// What people should know beside it: all of it was seen all the same.
    pub(crate) advice: Notes,
    /// Its pages, in order.
    pub(crate) pages: Vec<PageRead>,
}

/// What was sent and what came of it.
#[derive(Debug)]
pub(crate) struct Sent {
    /// The request as people read it in a record.
    pub(crate) statement: String,
    /// The row that is there now, or why there is none.
    pub(crate) result: Result<Option<Row>, ServiceFault>,
}

/// A place where roles are assigned.
#[async_trait]
pub(crate) trait Place: Send + Sync {
    /// The service behind it.
    fn service(&self) -> &Service;
    /// What it is, for people.
    fn title(&self) -> String;
    /// What can be assigned.
    async fn definitions(&self) -> Result<(Definitions, Notes), ServiceFault>;
    /// Rows of its scopes: all, or those of one principal.
    async fn rows(&self, of: Option<Guid>) -> Result<Listing, ServiceFault>;
    /// One page of all rows: the first, or the one that what stood on the page before leads to.
    async fn page(&self, from: Option<&str>) -> Result<PageRead, ServiceFault>;
    /// The role and scope that a name of the role map stands for, or what is wrong with the name.
    fn role(&self, name: SqlName, definitions: &Definitions) -> Result<RoleAt, String>;
    /// A row's role and scope by the name that the role map would use.
    fn name(&self, role: Guid, scope: &str, definitions: &Definitions) -> String;
    /// Whether this row makes somebody an administrator of the place.
    fn administers(&self, row: &Row) -> bool;
    /// Assigns a role. A row that is there already is a refusal of that kind.
    async fn put(&self, at: &RoleAt, who: &Who) -> Sent;
    /// Takes a row away. One that is gone is success.
    async fn delete(&self, row: &Row) -> Sent;
    /// Makes or changes a role of the role map's own.
    async fn define(&self, name: SqlName) -> Sent;
    /// Takes a role away that was the role map's own. One that is gone is success.
    async fn undefine(&self, at: &RoleAt) -> Sent;
    /// Roles that were a role map's own here and are not any more.
    fn retired(&self, definitions: &Definitions) -> Vec<(SqlName, RoleAt)>;
    /// Whether a role of this name is the role map's own and is as the role map says.
    fn is_as_defined(&self, name: SqlName, definitions: &Definitions) -> Option<bool>;
    /// Whether the place can be asked about effect at all.
    fn tells_effect(&self) -> bool;
    /// Whether what somebody was given has effect yet; none where the place cannot tell.
    async fn in_effect(&self, row: &Row, definitions: &Definitions) -> Result<Option<bool>, ServiceFault>;
}
