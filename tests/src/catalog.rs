//! What a pool's catalog says, read by the suites' own queries. Names are compared letter for letter.

use std::collections::BTreeSet;

use anyhow::Context;

use crate::tds::Tds;

const HELD: &str = "
SELECT g.name, p.state_desc, p.permission_name,
       CASE WHEN p.class = 3 THEN 'schema ' + s.name WHEN p.class = 1 THEN os.name + '.' + o.name ELSE 'database' END, c.name
FROM sys.database_permissions AS p
JOIN sys.database_principals AS g ON g.principal_id = p.grantee_principal_id
LEFT JOIN sys.schemas AS s ON p.class = 3 AND s.schema_id = p.major_id
LEFT JOIN sys.objects AS o ON p.class = 1 AND o.object_id = p.major_id
LEFT JOIN sys.schemas AS os ON os.schema_id = o.schema_id
LEFT JOIN sys.columns AS c ON p.class = 1 AND p.minor_id > 0 AND c.object_id = p.major_id AND c.column_id = p.minor_id
WHERE p.type <> 'CO' AND g.name <> 'public'";
const MEMBERS: &str = "
SELECT r.name, m.name
FROM sys.database_role_members AS x
JOIN sys.database_principals AS m ON m.principal_id = x.member_principal_id
JOIN sys.database_principals AS r ON r.principal_id = x.role_principal_id
WHERE m.name <> 'dbo'";
const SHUT_OUT: &str = "
SELECT u.name FROM sys.database_permissions AS p
JOIN sys.database_principals AS u ON u.principal_id = p.grantee_principal_id
WHERE p.class = 0 AND p.type = 'CO' AND p.state = 'D'";
const PEOPLE: &str =
    "SELECT name FROM sys.database_principals WHERE type IN ('E', 'X', 'S') AND principal_id > 4";
const ROLES: &str =
    "SELECT name FROM sys.database_principals WHERE type = 'R' AND is_fixed_role = 0 AND name <> 'public'";

/// A catalog.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Catalog {
    /// Users that are neither built in nor roles.
    pub people: BTreeSet<String>,
    /// Roles that somebody made.
    pub roles: BTreeSet<String>,
    /// `role <- member`.
    pub members: BTreeSet<String>,
    /// `grantee: SELECT on sales.orders`, a line a grant; CONNECT is left out.
    pub held: BTreeSet<String>,
    /// Who is denied CONNECT.
    pub shut_out: BTreeSet<String>,
}

impl Catalog {
    /// Reads it as whoever this session is.
    pub async fn read(session: &mut Tds) -> anyhow::Result<Self> {
        let mut catalog = Self {
            people: session.column(PEOPLE).await?.into_iter().collect(),
            roles: session.column(ROLES).await?.into_iter().collect(),
            shut_out: session.column(SHUT_OUT).await?.into_iter().collect(),
            ..Self::default()
        };
        for row in session.rows(MEMBERS).await? {
            let [Some(role), Some(member)] = row.as_slice() else { anyhow::bail!("a name is NULL: {row:?}") };
            catalog.members.insert(format!("{role} <- {member}"));
        }
        for row in session.rows(HELD).await? {
            let cell = |i: usize| row.get(i).cloned().flatten();
            let [grantee, state, permission, on] = [0, 1, 2, 3].map(|i| cell(i).context("a cell is NULL"));
            let state = match state?.as_str() {
                "DENY" => "DENY ",
                _ => "",
            };
            let column = cell(4).map_or_else(String::new, |column| format!(" ({column})"));
            catalog.held.insert(format!("{}: {state}{} on {}{column}", grantee?, permission?, on?));
        }
        Ok(catalog)
    }

    /// The roles that this person is in.
    pub fn roles_of(&self, person: &str) -> Vec<&str> {
        self.members
            .iter()
            .filter_map(|line| line.split_once(" <- "))
            .filter(|(_, member)| *member == person)
            .map(|(role, _)| role)
            .collect()
    }

    /// Whether what `pool.sql` made and Axon must never touch is there as it was.
    pub fn canaries_live(&self) -> bool {
        self.people.contains("canary_user")
            && self.roles.contains("canary")
            && self.members.contains("canary <- canary_user")
            && self.held.contains("canary: SELECT on schema sales")
    }
}
